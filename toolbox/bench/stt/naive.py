"""The plain library on the same machine: `WhisperModel.transcribe`, one utterance after the other."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import faster_whisper
import numpy as np
from numpy.typing import NDArray

from toolbox.bench.stt.plan import TOKENS

_PROMPT_TOKENS = 4


@dataclass(frozen=True)
class NaiveRun:
    """What the plain library did."""

    texts: tuple[str, ...]
    utterances_per_s: float


def run_naive(folder: Path, audios: Sequence[NDArray[np.float32]], cores: int) -> NaiveRun:
    """Transcribe samples ``[n]`` at 16 kHz one after the other, on all cores. Blocks.

    As cheaply as it can be told to: beam 1, temperature 0, int8, no timestamps, no fallbacks, no voice detection, the
    language given, and as many tokens as the service makes. It pads everything to 30 s; that cannot be changed.
    """
    model = faster_whisper.WhisperModel(
        str(folder), device="cpu", compute_type="int8", cpu_threads=cores, num_workers=1, local_files_only=True
    )

    def transcribe(audio: NDArray[np.float32]) -> str:
        segments, _ = model.transcribe(
            audio,
            language="en",
            beam_size=1,
            temperature=0.0,
            without_timestamps=True,
            condition_on_previous_text=False,
            # CTranslate2 gives no more than half of prompt and tokens together.
            max_new_tokens=2 * TOKENS - _PROMPT_TOKENS,
            log_prob_threshold=None,
            no_speech_threshold=None,
            compression_ratio_threshold=None,
        )
        return "".join(segment.text for segment in segments).strip()

    transcribe(audios[0])
    began_at = time.monotonic()
    texts = tuple(transcribe(audio) for audio in audios)
    return NaiveRun(texts, len(audios) / (time.monotonic() - began_at))
