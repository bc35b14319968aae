"""Settings of the section [stt]."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from servicekit.server import DrainSettings
from servicekit.settings import SettingsModel

EngineName = Literal["auto", "faster-whisper", "pocketsphinx"]
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
    beam_size: Annotated[int, Field(ge=1, le=10)] = 5
    """Beam of recordings; live speech is always decoded greedily."""
    shortest_window_s: Annotated[float, Field(ge=2, le=30)] = 10.0
    """Least audio that the encoder is given, padded with silence: shorter windows are faster and less accurate."""
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


class SttSettings(SettingsModel):
    """The speech-to-text service."""

    listen: str = "127.0.0.1:50052"
    """Address of the gRPC server, host:port; port 0 lets the system choose."""
    engine: EngineName = "auto"
    """auto is faster-whisper where it is installed and its model is there, else pocketsphinx."""
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
    drain: DrainSettings = DrainSettings()
