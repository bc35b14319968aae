"""Every figure of turn-taking. Milliseconds throughout; the reasons stand in docs and in the modules that use them."""

from __future__ import annotations

from pydantic import Field

from servicekit.settings import SettingsModel


class SpeechSettings(SettingsModel):
    """How windows of sound become speech."""

    enter_probability: float = Field(default=0.5, gt=0, lt=1)
    leave_probability: float = Field(default=0.35, gt=0, lt=1)
    # One window above the threshold is often a click; two are a syllable. The pre-roll covers the wait.
    start_windows: int = Field(default=2, ge=1, le=10)
    pre_roll_ms: float = Field(default=300, ge=0, le=2000)
    # The codec's start-up and the line's click make the first moments of a call look like speech.
    deaf_start_ms: float = Field(default=300, ge=0, le=2000)
    # Speech stands this far above the noise, or energy cannot tell where it ended.
    energy_margin_db: float = Field(default=12, ge=3, le=40)


class EndpointingSettings(SettingsModel):
    """How long a silence must be before the turn is the agent's."""

    finalize_after_ms: float = Field(default=140, ge=0)
    complete_ms: float = Field(default=220, ge=0)
    late_ms: float = Field(default=700, ge=0)
    unfinished_ms: float = Field(default=1200, ge=0)
    cap_ms: float = Field(default=2500, ge=0)
    max_utterance_ms: float = Field(default=60_000, ge=1000)
    # A caller who goes on this soon after the commit, or has heard this little, had not finished.
    reopen_within_ms: float = Field(default=800, ge=0)
    reopen_heard_ms: float = Field(default=1000, ge=0)
    # Keys pressed within this time of one another are one input.
    digits_pause_ms: float = Field(default=1500, ge=100)


class BargeInSettings(SettingsModel):
    """When the agent stops for the caller."""

    pause_windows: int = Field(default=4, ge=1, le=50)
    confirm_speech_ms: float = Field(default=700, ge=0)
    confirm_within_ms: float = Field(default=900, ge=0)


class SpeculationSettings(SettingsModel):
    """Begin the reply on the early final, before the turn is the agent's."""

    enabled: bool = True
    max_per_turn: int = Field(default=2, ge=0)
    max_utterance_ms: float = Field(default=10_000, ge=0)


class WatchdogSettings(SettingsModel):
    """How long the caller is left without an answer."""

    first_content_ms: float = Field(default=8000, ge=100)
    content_gap_ms: float = Field(default=8000, ge=100)
    first_audio_ms: float = Field(default=8000, ge=100)
    max_call_ms: float = Field(default=1_800_000, ge=1000)


class EngineSettings(SettingsModel):
    """All of turn-taking."""

    speech: SpeechSettings = SpeechSettings()
    endpointing: EndpointingSettings = EndpointingSettings()
    barge_in: BargeInSettings = BargeInSettings()
    speculation: SpeculationSettings = SpeculationSettings()
    watchdogs: WatchdogSettings = WatchdogSettings()
