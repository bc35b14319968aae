"""From the settings to a loaded model that has been seen to work."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import ctranslate2
import faster_whisper

from servicekit.startup import StartupError
from stt_service.engines.whisper.decoding import WhisperDecoder
from stt_service.engines.whisper.edition import Edition
from stt_service.engines.whisper.files import find_model, how_to_fetch, missing_files, whisper_missing
from stt_service.engines.whisper.recordings import RecordingDecoder
from stt_service.engines.whisper.speed import rehearse
from stt_service.settings import WhisperSettings

_CPU_BATCH = 4
"""A text's tokens are made one by one and each reads all weights: several texts at once share that."""
_GPU_BATCH = 16


@dataclass(frozen=True, slots=True)
class Means:
    """What one model runs on."""

    device: str
    compute_type: str
    workers: int
    """Inferences at once."""
    threads: int
    batch: int
    """Finals in one inference at most."""
    partial_batch: int
    """Partials in one inference: on CPU one, or a final that comes would wait for all of them."""

    @classmethod
    def of(cls, settings: WhisperSettings) -> Means:
        """Fill in what the settings leave open: a worker per core, or one on CUDA that takes many at a time."""
        device = settings.device
        if device == "auto":
            device = "cuda" if ctranslate2.get_cuda_device_count() > 0 else "cpu"
        on_cpu = device == "cpu"
        compute_type = settings.compute_type
        if compute_type == "auto":
            compute_type = "int8" if on_cpu else "float16"
        batch = settings.batch or (_CPU_BATCH if on_cpu else _GPU_BATCH)
        return cls(
            device=device,
            compute_type=compute_type,
            workers=settings.workers or (_cores() if on_cpu else 1),
            threads=settings.threads or 1,
            batch=batch,
            partial_batch=1 if on_cpu else batch,
        )


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that works."""

    decoder: WhisperDecoder
    recordings: RecordingDecoder
    batch_s: float
    """How long an inference with all its batch takes, all workers busy."""


def load(settings: WhisperSettings, means: Means, edition: Edition | None = None) -> Loaded:
    """Load the model and decode noise with it; blocks. Raises StartupError with the remedy in its message."""
    folder = find_model(settings)
    if folder is None:
        raise StartupError(whisper_missing(settings))
    missing = missing_files(folder)
    if missing:
        # Without its tokenizer faster-whisper would go and download one.
        raise StartupError(
            f"the Whisper model in {folder} lacks {', '.join(missing)}: {how_to_fetch(settings)}, or set "
            "stt.whisper.model to another"
        )
    try:
        return _load(folder, settings, means, edition or Edition.of(settings))
    except Exception as error:
        raise StartupError(
            f"the Whisper model in {folder} cannot be loaded on {means.device} as {means.compute_type} ({error}): it "
            "is damaged, no CTranslate2 conversion of Whisper, or this machine lacks what stt.whisper.device and "
            f"stt.whisper.compute_type ask for; `parley models verify` tells which: {how_to_fetch(settings)}, or set "
            "stt.whisper.model to another"
        ) from error


def _load(folder: Path, settings: WhisperSettings, means: Means, edition: Edition) -> Loaded:
    model = faster_whisper.WhisperModel(
        str(folder),
        device=means.device,
        compute_type=means.compute_type,
        cpu_threads=means.threads,
        num_workers=means.workers,
        local_files_only=True,
    )
    decoder = WhisperDecoder(model, settings, edition)
    decoder.gates.load()
    batch_s = rehearse(decoder, workers=means.workers, batch=means.batch)
    return Loaded(decoder, RecordingDecoder(model, decoder, settings), batch_s)


def _cores() -> int:
    """Cores that this process may use: a container's share, where the system tells it."""
    affinity = getattr(os, "sched_getaffinity", None)
    return max(1, len(affinity(0)) if affinity else os.cpu_count() or 1)
