"""The settings of ``[orchestrator]``."""

from __future__ import annotations

from pydantic import Field

from orchestrator.brain import BrainSettings
from orchestrator.clean_up import CleanUpSettings
from orchestrator.end_of_turn import EndOfTurnSettings
from orchestrator.engine import EngineSettings
from orchestrator.event_log import EventLogSettings
from orchestrator.speech_text import SpeechTextSettings
from orchestrator.tools import ToolSettings
from servicekit.server import DrainSettings
from servicekit.settings import SettingsModel


class SttSettings(SettingsModel):
    """The speech-to-text service to use."""

    target: str = "127.0.0.1:50052"
    # Languages that callers may speak, likeliest first; empty means `language` alone.
    languages: tuple[str, ...] = ()
    # Words and names that callers are likely to say.
    hotwords: tuple[str, ...] = ()
    # How long to look for a server when the one that heard an utterance dies; each try replays the utterance from its
    # start, to another replica where there is one. A restart takes seconds.
    patience_s: float = Field(default=8.0, ge=0, le=60)
    retry_pause_ms: float = Field(default=200, ge=10)


class TtsSettings(SettingsModel):
    """The text-to-speech service to use."""

    target: str = "127.0.0.1:50053"
    # Empty means the service's default for the language.
    voice: str = ""
    # Empty means the call's language.
    language: str = ""
    speed: float = Field(default=1.0, ge=0.5, le=2.0)
    # Tries in all before the first sound.
    attempts: int = Field(default=2, ge=1, le=10)
    # How long to look for a server that speaks the rest of a reply when its own has died; what waits to be heard
    # bridges as much of it as there is.
    patience_s: float = Field(default=6.0, ge=0, le=60)
    retry_pause_ms: float = Field(default=200, ge=10)
    # No more is synthesised while this much sound waits to be heard.
    ahead_ms: float = Field(default=6000, ge=500)


class PromptSettings(SettingsModel):
    """What the agent says of itself. What is not set here is said in the language of the call."""

    # Unset, the language's own greeting; empty, none at all.
    greeting: str | None = None
    apology: str = ""
    # Said when the brain gave no answer and the line can record a message.
    apology_with_message_offer: str = ""
    not_understood: str = ""
    # Said in turn while an answer takes long.
    fillers: tuple[str, ...] = ()
    idle_first: str = ""
    idle_second: str = ""
    idle_goodbye: str = ""
    call_ending_soon: str = ""


class OrchestratorSettings(EngineSettings):
    """All of ``[orchestrator]``: turn-taking (`EngineSettings`), the services it uses, and what it says."""

    listen: str = "127.0.0.1:50051"
    max_calls: int = Field(default=50, ge=1)
    # BCP 47; a call may ask for another.
    language: str = "en"
    stt: SttSettings = SttSettings()
    tts: TtsSettings = TtsSettings()
    brain: BrainSettings = Field(default_factory=BrainSettings)
    # Asked in the brain's place where that fails or gives nothing in time; none unless it is set.
    fallback: BrainSettings | None = None
    tools: ToolSettings = ToolSettings()
    speech_text: SpeechTextSettings = SpeechTextSettings()
    clean_up: CleanUpSettings = CleanUpSettings()
    end_of_turn: EndOfTurnSettings = EndOfTurnSettings()
    event_log: EventLogSettings = EventLogSettings()
    prompts: PromptSettings = PromptSettings()
    drain: DrainSettings = Field(default_factory=DrainSettings)
    # Longest silence of the gateway before the call is given up: it sends sound 50 times a second.
    line_lost_s: float = Field(default=30.0, gt=0)
