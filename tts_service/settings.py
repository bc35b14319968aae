"""Settings of the section [tts]."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from servicekit.server import DrainSettings
from servicekit.settings import SettingsModel

EngineName = Literal["auto", "kokoro", "piper", "openai", "edge-tts", "espeak"]
FallbackName = Literal["kokoro", "piper", "openai", "edge-tts", "espeak"]
Device = Literal["auto", "cpu", "cuda"]
AudioFormatName = Literal["auto", "pcm", "wav", "mp3", "flac", "opus"]

_LANGUAGE = re.compile(r"\*|[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8})*")


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
    piece_characters: Annotated[int, Field(ge=0, le=400)] = 0
    """Longest text of one inference, in code points: cancelling waits for the running one. 0 means 60 on CPU, 200 on
    CUDA."""


class PiperSettings(SettingsModel):
    """Piper's voices: fast on CPU. Nothing is ever downloaded: they are given here."""

    voices: Path = Path("models/piper")
    """Folder of voices as Piper publishes them: `<name>.onnx` beside `<name>.onnx.json`."""
    workers: Annotated[int, Field(ge=0, le=64)] = 0
    """Inferences at once; 0 means one per core."""
    threads: Annotated[int, Field(ge=0, le=256)] = 1
    """Threads of one inference; 0 lets ONNX Runtime decide. One serves the most replies."""
    piece_characters: Annotated[int, Field(ge=20, le=1000)] = 60
    """Longest text of one inference, in code points: cancelling waits for the running one."""


class OpenAiServerSettings(SettingsModel):
    """Any server with OpenAI's `/v1/audio/speech`: openai-edge-tts, Kokoro-FastAPI, Speaches, LocalAI."""

    base_url: str = "http://127.0.0.1:8880/v1"
    """Where the server is, with or without /v1."""
    model: str = ""
    """Model that the server is asked for; empty means the only one that it lists, or tts-1."""
    api_key: SecretStr = SecretStr("")
    """Sent as a bearer token; give api_key_file instead to read it from a file."""
    voices: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """BCP 47 languages of its voices, such as {"alloy": ["en", "de"]}: for voices that the server does not list, or
    whose languages neither it nor their names tell."""
    audio_format: AudioFormatName = "auto"
    """What it is asked for; auto takes the first of pcm, mp3, wav, flac and opus that it delivers at the start."""
    pcm_rate_hz: Annotated[int, Field(ge=8000, le=96_000)] = 24_000
    """Rate of its headerless pcm, where its WAV does not tell another."""
    extra_body: dict[str, Any] = Field(default_factory=dict)
    """More fields of each request, as the server documents them, such as {"instructions": "Speak calmly."}."""
    piece_characters: Annotated[int, Field(ge=40, le=4000)] = 300
    """Longest text of one request, in code points: many servers answer only when all of it is spoken."""
    max_requests: Annotated[int, Field(ge=1, le=256)] = 8
    """Requests at once, which is how many replies are spoken at once."""
    connect_timeout_s: Annotated[float, Field(gt=0, le=60)] = 2.0
    """Longest time until the server accepts a connection."""
    first_byte_timeout_s: Annotated[float, Field(gt=0, le=120)] = 10.0
    """Longest time from a request to the first of its sound."""
    gap_timeout_s: Annotated[float, Field(gt=0, le=120)] = 5.0
    """Longest pause between two parts of the sound."""
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 60.0
    """Longest time that one request is waited for in all."""
    start_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 120.0
    """The same for the trial at the start: a server may load its model only then."""

    @field_validator("voices", mode="before")
    @classmethod
    def _one_language_may_stand_alone(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {name: (tags,) if isinstance(tags, str) else tags for name, tags in given.items()}

    @field_validator("extra_body")
    @classmethod
    def _text_is_ours(cls, body: dict[str, Any]) -> dict[str, Any]:
        if taken := sorted({"input", "response_format", "stream_format"} & set(body)):
            raise ValueError(f"must not hold {taken[0]!r}, which each request sets itself")
        return body

    @field_validator("base_url")
    @classmethod
    def _up_to_v1(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
            raise ValueError("must be an http:// or https:// address, such as http://127.0.0.1:8880/v1")
        if parts.username or parts.password:
            raise ValueError("must hold no user or password; use api_key")
        if parts.query or parts.fragment:
            raise ValueError("must hold no query")
        root = url.rstrip("/").removesuffix("/audio/speech")
        return root if root.endswith("/v1") else f"{root}/v1"

    @property
    def where(self) -> str:
        """Host and port, for messages."""
        parts = urlsplit(self.base_url)
        return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


class EdgeSettings(SettingsModel):
    """The voices of Microsoft Edge's "Read aloud": a cloud service, to which every text that is spoken is sent."""

    pitch_hz: Annotated[int, Field(ge=-50, le=50)] = 0
    """How much higher than its own a voice speaks."""
    piece_characters: Annotated[int, Field(ge=40, le=1000)] = 300
    """Longest text of one request, in code points."""
    max_requests: Annotated[int, Field(ge=1, le=64)] = 8
    """Requests at once, which is how many replies are spoken at once."""
    connect_timeout_s: Annotated[int, Field(ge=1, le=60)] = 5
    """Longest time until the cloud accepts a connection, in whole seconds."""
    first_byte_timeout_s: Annotated[float, Field(gt=0, le=120)] = 10.0
    """Longest time from a request to the first of its sound."""
    gap_timeout_s: Annotated[float, Field(gt=0, le=120)] = 5.0
    """Longest pause between two parts of the sound."""


class CacheSettings(SettingsModel):
    """Speech that is kept."""

    memory_mb: Annotated[int, Field(ge=0, le=100_000)] = 64
    """Sound kept in memory, replies included; 64 are two hours of telephone sound. 0 keeps none."""
    disk_mb: Annotated[int, Field(ge=0, le=1_000_000)] = 64
    """Fixed wording kept on disk beyond a restart, such as greetings. 0 keeps none."""
    folder: Path | None = None
    """Where; several processes may share it. Unset, `parley/tts` in the user's cache folder."""
    replies: bool = False
    """Keep replies on disk too. They are private speech: unless this is set they stay in memory."""


class TtsSettings(SettingsModel):
    """The text-to-speech service."""

    listen: str = "127.0.0.1:50053"
    """Address of the gRPC server, host:port; port 0 lets the system choose."""
    engine: EngineName = "auto"
    """auto is kokoro where it is installed and its files are there, else espeak. The others run only when named."""
    fallback: dict[str, FallbackName] = Field(default_factory=dict)
    """Engine for languages that `engine` has no voice for, by BCP 47 language, such as {"de": "espeak"}; "*" means all
    others. It also speaks where `engine` fails before it has made a sound."""
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
    level_dbfs: Annotated[float, Field(ge=-40, le=-12)] = -20.0
    """Root-mean-square level of active speech that every voice is brought to, dB below full scale."""
    normalise: bool = True
    """Whether voices are brought to one level; off, each sounds as its engine gives it."""
    prerender: tuple[str, ...] = ()
    """Sentences made at start in the default voice, for the telephone, and kept on disk. The orchestrator's own
    prompts need not be here: it asks for them itself."""
    cache: CacheSettings = CacheSettings()
    espeak: EspeakSettings = EspeakSettings()
    kokoro: KokoroSettings = KokoroSettings()
    piper: PiperSettings = PiperSettings()
    openai: OpenAiServerSettings = OpenAiServerSettings()
    edge: EdgeSettings = EdgeSettings()
    drain: DrainSettings = DrainSettings()

    @field_validator("fallback")
    @classmethod
    def _by_language(cls, fallback: dict[str, FallbackName]) -> dict[str, FallbackName]:
        for language in fallback:
            if not _LANGUAGE.fullmatch(language):
                raise ValueError(f'{language[:40]!r} is neither a language, such as "de", nor "*"')
        return fallback
