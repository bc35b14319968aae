"""Every figure of turn-taking. Milliseconds throughout; the reasons stand in docs and in the modules that use them."""

from __future__ import annotations

import math
from typing import Literal

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
    # Sound this far above the noise is speech, where speech itself stands twice as far above it; on a noisier line
    # energy cannot tell where speech ended. More, and lines with a hum are answered 100 ms later than they need be.
    energy_margin_db: float = Field(default=7, ge=3, le=40)


class PauseLearningSettings(SettingsModel):
    """How a caller's own pauses move the wait behind a turn that looks complete."""

    enabled: bool = True
    # Weight of what was learned before: one pause moves the estimate by a tenth.
    alpha: float = Field(default=0.9, gt=0, lt=1)
    floor_ms: float = Field(default=250, ge=0)
    ceiling_ms: float = Field(default=900, ge=0)
    # So much of what the estimate exceeds its floor by is added to `complete_ms`.
    share: float = Field(default=1.0, ge=0, le=2)


class EntitySettings(SettingsModel):
    """How long to wait for a caller who dictates: a number, an address, an e-mail, a spelling."""

    complete_ms: float = Field(default=900, ge=0)
    unfinished_ms: float = Field(default=2000, ge=0)
    cap_ms: float = Field(default=4000, ge=0)


class EndpointingSettings(SettingsModel):
    """How long a silence must be before the turn is the agent's."""

    # A recogniser that takes 80 ms is then done 40 ms before the commit, so that the early reply has begun by then.
    # Three windows of the detector, no more: while it lingers behind speech that has faded, 100 would mean four.
    finalize_after_ms: float = Field(default=96, ge=0)
    complete_ms: float = Field(default=220, ge=0)
    # "Stop" over the agent is mostly followed by more, "all" by "right"; it is silent by then: no hurry.
    one_word_ms: float = Field(default=400, ge=0)
    late_ms: float = Field(default=700, ge=0)
    # A pause of 1200 ms and what it takes to notice that the caller goes on.
    unfinished_ms: float = Field(default=1300, ge=0)
    cap_ms: float = Field(default=2500, ge=0)
    max_utterance_ms: float = Field(default=60_000, ge=1000)
    # An end-of-turn model that is at least this sure takes the turn for complete.
    end_of_turn_threshold: float = Field(default=0.5, gt=0, lt=1)
    pauses: PauseLearningSettings = PauseLearningSettings()
    entity: EntitySettings = EntitySettings()
    # A caller who goes on this soon after the commit, or has heard this little, had not finished.
    reopen_within_ms: float = Field(default=800, ge=0)
    reopen_heard_ms: float = Field(default=1000, ge=0)
    # Keys pressed within this time of one another are one input.
    digits_pause_ms: float = Field(default=1500, ge=100)


_WINDOW_MS = 32.0
_PAUSE_MS = {"responsive": 128.0, "steady": 250.0}


class BargeInSettings(SettingsModel):
    """When the agent stops for the caller."""

    # `responsive` stops within four windows of speech; `steady` lets half of all signs of listening pass first.
    preset: Literal["responsive", "steady"] = "responsive"
    # Speech after which the agent is silent; unset, the preset decides.
    pause_ms: float | None = Field(default=None, ge=32, le=2000)
    # Speech after which the agent is turned down, where the line can do that.
    duck_ms: float = Field(default=64, ge=32, le=2000)
    duck_db: float = Field(default=12, ge=0, le=60)
    confirm_speech_ms: float = Field(default=700, ge=0)
    confirm_within_ms: float = Field(default=900, ge=0)
    # Speech of which a recogniser with partials makes no word for so long interrupts all the same: the longest word,
    # and what a recogniser needs to tell it. A hum of assent is over by then.
    wordless_within_ms: float = Field(default=1400, ge=0)
    # After so much silence without a word that asks for the floor the agent goes on ...
    resume_silence_ms: float = Field(default=150, ge=0)
    # ... but waits so much longer for a transcript that is on its way, asked for after `ask_after_ms` of it.
    transcript_grace_ms: float = Field(default=200, ge=0)
    ask_after_ms: float = Field(default=64, ge=0)

    @property
    def pause_windows(self) -> int:
        """Windows of speech after which the agent pauses."""
        wanted = self.pause_ms if self.pause_ms is not None else _PAUSE_MS[self.preset]
        return max(1, math.ceil(wanted / _WINDOW_MS - 1e-9))

    @property
    def duck_windows(self) -> int:
        """Windows of speech after which the agent is turned down."""
        return max(1, math.ceil(self.duck_ms / _WINDOW_MS - 1e-9))


class EchoSettings(SettingsModel):
    """How the agent's own voice, come back from the line, is told from the caller's."""

    enabled: bool = True
    # Speech this far above the level at which our playback returns is the caller's.
    margin_db: float = Field(default=6, ge=0, le=40)
    # Words of which this share was played within `words_within_ms` are echo.
    words_share: float = Field(default=0.8, gt=0, le=1)
    words_within_ms: float = Field(default=3000, ge=500, le=20_000)
    # Speech below the guard that lasts this long, and whose loudness does not follow ours, is the caller's.
    doubtful_ms: float = Field(default=1200, ge=200)
    # Until the agent has been heard for so long without an echo, a faint sound without a word may be one: the agent
    # goes on as soon as it is over.
    unproven_ms: float = Field(default=1500, ge=0)
    unproven_silence_ms: float = Field(default=64, ge=0)
    # Loudness is compared over at least this long: over less, most true interruptions look like echo.
    correlate_ms: float = Field(default=800, ge=800, le=4000)
    correlation: float = Field(default=0.6, gt=0, lt=1)


class SpeculationSettings(SettingsModel):
    """Begin the reply on the early final, before the turn is the agent's."""

    enabled: bool = True
    max_per_turn: int = Field(default=2, ge=0)
    max_utterance_ms: float = Field(default=10_000, ge=0)
    # None is begun while a speech service has a larger share of its slots in use.
    max_load: float = Field(default=0.7, ge=0, le=1)


class WatchdogSettings(SettingsModel):
    """How long the caller is left without an answer."""

    # A short sign of thinking, when the brain has given nothing by then; 0 for none.
    filler_ms: float = Field(default=900, ge=0)
    # The fallback model is asked, where there is one; 0 for never.
    fallback_ms: float = Field(default=3000, ge=0)
    first_content_ms: float = Field(default=8000, ge=100)
    content_gap_ms: float = Field(default=8000, ge=100)
    first_audio_ms: float = Field(default=8000, ge=100)
    max_call_ms: float = Field(default=1_800_000, ge=1000)
    # The caller is warned this long before the longest call ends; 0 for no warning.
    warn_before_ms: float = Field(default=60_000, ge=0)


class IdleSettings(SettingsModel):
    """What is done about a caller who says nothing."""

    enabled: bool = True
    # Silence before each prompt, and behind the last one before goodbye is said.
    prompt_after_ms: float = Field(default=8000, ge=1000)
    prompts: int = Field(default=2, ge=0, le=10)


class EngineSettings(SettingsModel):
    """All of turn-taking."""

    speech: SpeechSettings = SpeechSettings()
    endpointing: EndpointingSettings = EndpointingSettings()
    barge_in: BargeInSettings = BargeInSettings()
    echo: EchoSettings = EchoSettings()
    speculation: SpeculationSettings = SpeculationSettings()
    watchdogs: WatchdogSettings = WatchdogSettings()
    idle: IdleSettings = IdleSettings()
