"""A recogniser that knows what is said when, behind the real scheduler; its decodes wait where the test says so."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from stt_service.engines.interface import Utterance
from stt_service.engines.whisper.decoding import Decoded, Passage
from stt_service.engines.whisper.runs import DecodeJob
from stt_service.engines.whisper.scheduling import DroppedError, Outcome, Scheduler, Urgency
from stt_service.engines.whisper.windows import WHISPER_HZ
from stt_service.engines.whisper.words import Piece

_STEP = np.float32(1e-7)
_LOUDNESS = np.float32(0.1)


class FakeDecoding:
    """Stands in for the engine of an utterance. Its audio tells where it lies: see `speech`."""

    def __init__(self, words: Sequence[tuple[str, float, float]] = (), *, held: bool = False) -> None:
        """Know ``words`` (text, start and end in seconds); when ``held``, decode only as `let` allows."""
        self.words = list(words)
        self.decoded: list[Passage] = []
        self.doubts = 0
        """So many of the next decodes are doubtful."""
        self.fails = False
        self.forgotten: list[Utterance] = []
        self.begun: queue.Queue[Passage] = queue.Queue()
        self._held = held
        self._turns = threading.Semaphore(0)
        self.partial_samples = WHISPER_HZ // 2
        self.trim_samples = 5 * WHISPER_HZ
        self.silence_dbfs = -55.0
        self.scheduler: Scheduler[Passage, Decoded] = Scheduler(self._infer, workers=1)
        self.scheduler.start()

    def let(self, decodes: int = 1) -> None:
        """Let so many decodes go on."""
        self._turns.release(decodes)

    def close(self) -> None:
        """Let everything go on and end."""
        self._turns.release(1000)
        self.scheduler.close()

    def submit(self, urgency: Urgency, passage: Passage, done: Callable[[Outcome[Decoded]], None]) -> DecodeJob:
        return self.scheduler.submit(urgency, None, passage, done)

    def renew(self, job: DecodeJob, passage: Passage) -> bool:
        return job.renew(None, passage)

    def forget(self, utterance: Utterance) -> None:
        self.forgotten.append(utterance)

    def _infer(self, passages: Sequence[Passage], useless: Callable[[], bool]) -> Sequence[Decoded]:
        (passage,) = passages
        self.begun.put(passage)
        if self._held:
            self._turns.acquire()
        if useless():
            raise DroppedError
        if self.fails:
            raise RuntimeError("the fake fails")
        self.decoded.append(passage)
        doubtful = self.doubts > 0
        self.doubts -= doubtful
        return [Decoded(self._heard(passage.audio), "en", 0.5, 0.0 if passage.language else 0.9, doubtful, speech=True)]

    def _heard(self, audio: NDArray[np.float32]) -> tuple[Piece, ...]:
        loud = np.flatnonzero(audio)
        if not len(loud):
            return ()
        start = round((float(audio[loud[0]]) - float(_LOUDNESS)) / float(_STEP)) - int(loud[0])
        start_s, end_s = start / WHISPER_HZ, (start + len(audio)) / WHISPER_HZ
        return tuple(
            Piece(f" {text}", begin - start_s, end - start_s, 0.5)
            for text, begin, end in self.words
            if begin >= start_s - 0.02 and end <= end_s
        )


def speech(start_s: float, end_s: float) -> NDArray[np.float32]:
    """Samples that are loud and that tell by their value where in the utterance they lie."""
    positions = np.arange(round(start_s * WHISPER_HZ), round(end_s * WHISPER_HZ))
    return _LOUDNESS + positions.astype(np.float32) * _STEP


def quiet(seconds: float) -> NDArray[np.float32]:
    """Digital silence."""
    return np.zeros(round(seconds * WHISPER_HZ), np.float32)
