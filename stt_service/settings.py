"""Settings of the section [stt]."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from servicekit.server import DrainSettings
from servicekit.settings import SettingsModel

EngineName = Literal["auto", "faster-whisper", "embedded", "moonshine", "openai", "pocketsphinx"]
AnswerFormat = Literal["auto", "json", "verbose_json"]
Device = Literal["auto", "cpu", "cuda"]


class WhisperSettings(SettingsModel):
    """faster-whisper. Nothing is ever downloaded: its model is given here."""

    model: str = "base"
    """Folder of a CTranslate2 Whisper model, or the name of one below `model_dir` (`base` or `faster-whisper-base`)."""
    model_dir: Path = Path("models/whisper")
    """Where models are looked up by name."""
    device: Device = "auto"
    """Where inference runs; auto means CUDA when there is one."""
    compute_type: str = "auto"
    """CTranslate2's compute type, such as int8 or float16; auto means int8 on CPU and float16 on CUDA."""
    workers: Annotated[int, Field(ge=0, le=64)] = 0
    """Inferences at once; 0 means one per core on CPU, one on CUDA."""
    threads: Annotated[int, Field(ge=0, le=256)] = 0
    """Threads of one inference on CPU; 0 means one, which serves the most utterances."""
    batch: Annotated[int, Field(ge=0, le=128)] = 0
    """Finals in one inference, as far as they wait anyway (on CUDA partials too); 0 means 4 on CPU and 16 on CUDA."""
    answer_within_s: Annotated[float, Field(gt=0, le=60)] = 1.0
    """As many utterances are taken as could all end at once and be answered in this time, by a measurement at start."""
    beam_size: Annotated[int, Field(ge=1, le=10)] = 5
    """Beam of recordings; live speech is always decoded greedily."""
    shortest_window_s: Annotated[float, Field(ge=2, le=30)] = 10.0
    """Least audio that the encoder is given, padded with silence: shorter windows are faster and less accurate."""
    trim_after_s: Annotated[float, Field(ge=5, le=15)] = 15.0
    """Once an utterance is longer than this, the text that is agreed on is settled and its audio not decoded again."""
    max_tokens: Annotated[int, Field(ge=0, le=224)] = 0
    """Most tokens of one window's text; 0 means as many as anybody could say in its audio."""
    least_speech_s: Annotated[float, Field(ge=0, le=5)] = 0.1
    """Audio with less speech in it, by voice detection, is not given to the model; 0 does without the detection."""
    log_prob_threshold: Annotated[float, Field(ge=-100, le=0)] = -1.0
    """Texts of a lower mean log-probability are decoded again over the full window, then dropped."""
    no_speech_threshold: Annotated[float, Field(ge=0, le=1)] = 0.6
    """Texts are dropped when the model holds it likelier than this that nobody spoke, and is unsure of them."""
    compression_ratio_threshold: Annotated[float, Field(ge=1)] = 2.4
    """Texts that compress better repeat themselves and are dropped."""
    silence_dbfs: Annotated[float, Field(ge=-120, le=0)] = -55.0
    """Audio that stays below this level is not given to the model at all: it invents words for silence."""


class PocketsphinxSettings(SettingsModel):
    """The embedded recogniser: a fixed grammar for demo, self-test and tests."""

    grammar: Path | None = None
    """JSGF grammar in place of the demo's own."""
    dictionary: Path | None = None
    """Pronunciations (CMU format) of the grammar's words that the built-in dictionary lacks."""
    rejection: Annotated[float, Field(ge=0, le=1)] = 0.5
    """How ready it is to hear nothing rather than a sentence of the grammar: 0 always finds a sentence."""


class MoonshineSettings(SettingsModel):
    """Moonshine's streaming models. Nothing is ever downloaded: the model is given here."""

    model: str = "tiny"
    """Folder of a Moonshine streaming model, or the name of one below `model_dir`: tiny, small or medium."""
    model_dir: Path = Path("models/moonshine")
    """Where models are looked up by name."""
    language: Annotated[str, Field(min_length=2)] = "en"
    """BCP 47 language of the model; each model has one."""
    workers: Annotated[int, Field(ge=0, le=64)] = 0
    """Threads that listen; 0 means one per core."""
    silence_dbfs: Annotated[float, Field(ge=-120, le=0)] = -55.0
    """Audio below this level after an answer does not change it."""


class OpenAiServerSettings(SettingsModel):
    """Any server with OpenAI's `/v1/audio/transcriptions`: Speaches, whisper.cpp, vLLM, LocalAI."""

    base_url: str = "http://127.0.0.1:8000/v1"
    """Where the server is, with or without /v1."""
    model: str = ""
    """Model that the server is asked for; empty means the only one that it lists, or none by name."""
    api_key: SecretStr = SecretStr("")
    """Sent as a bearer token; give api_key_file instead to read it from a file."""
    answer_format: AnswerFormat = "auto"
    """verbose_json brings language, scores and word times; auto asks for it where the server has it."""
    max_requests: Annotated[int, Field(ge=1, le=256)] = 4
    """Requests at once; more wait their turn."""
    connect_timeout_s: Annotated[float, Field(gt=0, le=60)] = 2.0
    """Longest time until the server accepts a connection."""
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 10.0
    """Longest time from a live question to its answer, one repetition included."""
    recording_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 120.0
    """The same for recordings, and for the trial at the start: a server may load its model only then."""
    silence_dbfs: Annotated[float, Field(ge=-120, le=0)] = -55.0
    """Audio that stays below this level is not sent: such models invent words for silence."""
    log_prob_threshold: Annotated[float, Field(ge=-100, le=0)] = -1.0
    """Segments of a lower mean log-probability are dropped, where the server gives scores."""
    no_speech_threshold: Annotated[float, Field(ge=0, le=1)] = 0.6
    """Segments are dropped when the model holds it likelier than this that nobody spoke, and is unsure of them."""
    compression_ratio_threshold: Annotated[float, Field(ge=1)] = 2.4
    """Segments that compress better repeat themselves and are dropped."""

    @field_validator("base_url")
    @classmethod
    def _up_to_v1(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
            raise ValueError("must be an http:// or https:// address, such as http://127.0.0.1:8000/v1")
        if parts.username or parts.password:
            raise ValueError("must hold no user or password; use api_key")
        if parts.query or parts.fragment:
            raise ValueError("must hold no query")
        root = url.rstrip("/").removesuffix("/audio/transcriptions")
        return root if root.endswith("/v1") else f"{root}/v1"

    @property
    def where(self) -> str:
        """Host and port, for messages."""
        parts = urlsplit(self.base_url)
        return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


class SttSettings(SettingsModel):
    """The speech-to-text service."""

    listen: str = "127.0.0.1:50052"
    """Address of the gRPC server, host:port; port 0 lets the system choose."""
    engine: EngineName = "auto"
    """auto is faster-whisper where its model is there, embedded where only the model is missing, else pocketsphinx."""
    capacity: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Utterances served at once, one more is refused; 0 means what suits the engine."""
    languages: tuple[str, ...] = ()
    """BCP 47 languages to choose from when a request names none; empty means any."""
    max_utterance_s: Annotated[float, Field(gt=0, le=3600)] = 300.0
    """Longest utterance."""
    partial_interval_ms: Annotated[int, Field(ge=50, le=10_000)] = 300
    """Least time between two partials of an utterance, in ms of its audio."""
    idle_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """How long an utterance may wait for its client's next message before its slot is taken back."""
    whisper: WhisperSettings = WhisperSettings()
    pocketsphinx: PocketsphinxSettings = PocketsphinxSettings()
    moonshine: MoonshineSettings = MoonshineSettings()
    openai: OpenAiServerSettings = OpenAiServerSettings()
    drain: DrainSettings = DrainSettings()
