"""How fast this model is on this machine, and how many utterances that suffices for."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from stt_service.engines.whisper.decoding import WhisperDecoder
from stt_service.engines.whisper.windows import WHISPER_HZ

_AUDIO_S, _TOKENS = 4, 14
"""What a caller says in a turn, and how many tokens that is."""
_ROUNDS = 2
_LONG_ENOUGH_S = 1.5
"""A round that takes so long says enough by itself."""


def rehearse(decoder: WhisperDecoder, *, workers: int, batch: int) -> float:
    """Seconds that a full batch of finals takes while every worker is busy with one; the better of a few rounds.

    The first round, which is not counted, also makes each worker allocate what it needs.
    """
    noise = np.random.default_rng(0).standard_normal(_AUDIO_S * WHISPER_HZ).astype(np.float32) * np.float32(0.1)

    def one(_: int) -> float:
        began_at = time.monotonic()
        decoder.rehearse(noise, _TOKENS, batch)
        return time.monotonic() - began_at

    best = math.inf
    with ThreadPoolExecutor(workers, thread_name_prefix="whisper-rehearsal") as threads:
        for number in range(1 + _ROUNDS):
            took = max(threads.map(one, range(workers)))
            if number:
                best = min(best, took)
            if number and took > _LONG_ENOUGH_S:
                break
    return best


def capacity(batch_s: float, *, workers: int, batch: int, answer_within_s: float) -> int:
    """Utterances that may all end at the same moment and each be answered in time; never less than one a worker.

    ``batch_s`` is what a full batch takes while all workers are busy.
    """
    return workers * max(1, math.floor(batch * answer_within_s / max(batch_s, 1e-6)))
