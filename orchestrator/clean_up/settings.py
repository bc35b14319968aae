"""The settings of ``[orchestrator.clean_up]``."""

from __future__ import annotations

from typing import Literal

from servicekit.settings import SettingsModel

NoiseSuppression = Literal["off", "low", "moderate", "high", "very_high"]


class CleanUpSettings(SettingsModel):
    """Cleaning the caller's sound, for lines that are often noisy or quiet. All off: most lines need none of it."""

    # How far steady noise (cars, fans, water) is turned down: by 6, 12, 18 or 21 dB. Voices in the background are
    # speech, which nothing here takes away.
    noise_suppression: NoiseSuppression = "off"
    # Whether quiet callers are brought to a usual level, within a few seconds.
    level_control: bool = False
    # Whether speech recognition hears the cleaned sound as well, or only the decision who speaks when. Decided by
    # measurement (docs/decisions/0004-input-clean-up.md): it helps the embedded recogniser; recognisers trained on
    # noisy speech, such as Whisper, tend to do better on the sound as it came.
    for_recognition: bool = False

    @property
    def wanted(self) -> bool:
        """Whether anything is to be done at all."""
        return self.noise_suppression != "off" or self.level_control
