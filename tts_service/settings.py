"""Settings of the section [tts]."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from servicekit.server import DrainSettings
from servicekit.settings import SettingsModel

EngineName = Literal["auto", "kokoro", "espeak"]
Device = Literal["auto", "cpu", "cuda"]


class EspeakSettings(SettingsModel):
    """The embedded voice."""

    rate_wpm: Annotated[int, Field(ge=80, le=300)] = 165
    """Words a minute at speed 1."""
    pitch: Annotated[int, Field(ge=0, le=100)] = 50
    """Base pitch, 50 is the voice's own."""
    piece_characters: Annotated[int, Field(ge=40, le=1000)] = 140
    """Longest text spoken in one go, in code points; others wait meanwhile (140 are about 10 s of speech and 8 ms)."""


class KokoroSettings(SettingsModel):
    """The neural voice. Nothing is ever downloaded: its files are given here."""

    model: Path = Path("models/kokoro/kokoro-v1_0.pth")
    """Weights, as the Kokoro project publishes them."""
    config: Path = Path("models/kokoro/config.json")
    """The model's configuration, published beside the weights."""
    voices: Path = Path("models/kokoro/voices")
    """Folder of voice files, `<name>.pt`; the name's first letter tells the language, as in Kokoro's own voices."""
    voice_languages: dict[str, str] = Field(default_factory=dict)
    """BCP 47 language of voices whose name does not tell it, such as {"mine": "en-US"}."""
    device: Device = "auto"
    """Where inference runs; auto means CUDA when there is one."""
    workers: Annotated[int, Field(ge=0, le=64)] = 0
    """Inferences at once; 0 means one per two cores on CPU, two on CUDA."""
    threads: Annotated[int, Field(ge=0, le=256)] = 0
    """Torch's threads for one inference on CPU; 0 shares the cores among the workers."""
    piece_characters: Annotated[int, Field(ge=20, le=400)] = 60
    """Longest text of one inference, in code points: cancelling waits for the running one."""


class TtsSettings(SettingsModel):
    """The text-to-speech service."""

    listen: str = "127.0.0.1:50053"
    """Address of the gRPC server, host:port; port 0 lets the system choose."""
    engine: EngineName = "auto"
    """auto is kokoro where it is installed and its files are there, else espeak."""
    capacity: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Replies spoken at once, one more is refused; 0 means what suits the engine."""
    voice: str = ""
    """Voice used when a request names none; empty means the language's best."""
    language: Annotated[str, Field(min_length=2)] = "en"
    """BCP 47 language of the default voice."""
    speed: Annotated[float, Field(ge=0.5, le=2.0)] = 1.0
    """Rate of all speech; a request's own speed comes on top."""
    lookahead_ms: Annotated[int, Field(ge=100, le=60_000)] = 2000
    """How much sound may wait for a slow reader before the engine pauses."""
    message_ms: Annotated[int, Field(ge=20, le=500)] = 200
    """Longest audio message."""
    first_message_ms: Annotated[int, Field(ge=10, le=200)] = 40
    """Longest first audio message: short, since it is waited for."""
    idle_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 120.0
    """How long a reply may wait for its next text before its slot is taken back."""
    espeak: EspeakSettings = EspeakSettings()
    kokoro: KokoroSettings = KokoroSettings()
    drain: DrainSettings = DrainSettings()
