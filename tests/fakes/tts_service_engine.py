"""An engine whose every step the test holds in its hand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tts_service.speech import EngineInfo, Passage, SpeechChunk, WordSpan
from tts_service.threaded import Outlet, Step, ThreadedSpeech
from tts_service.voices import Voice, VoiceCatalogue

RATE_HZ = 8000
STEP_SAMPLES = 800


class FakeEngine:
    """Speaks a tone of 100 ms for each character, one step and one word a character.

    `gate` is open at first; while it is closed, a step waits in its thread before it speaks, as an inference does. It
    raises an error for the character `fails_on`, and has NaN for a tone for `broken_on`.
    """

    def __init__(
        self, *, lookahead_ms: int = 200, workers: int = 4, fails_on: str = "\0", broken_on: str = "\0"
    ) -> None:
        self.voices = VoiceCatalogue(
            [Voice("one", (("en", 1),), "One"), Voice("zwei", (("de", 1),), "Zwei")], default_language="en"
        )
        self.info = EngineInfo("fake", "1", "tone", RATE_HZ, capacity=2, alignments=True, limitations=("Only a tone.",))
        self.gate = threading.Event()
        self.gate.set()
        self.step_begun = threading.Event()
        self.steps_begun = 0
        self.steps_ended = 0
        self.passages: list[Passage] = []
        self._lookahead = RATE_HZ * lookahead_ms // 1000
        self._fails_on = fails_on
        self._broken_on = broken_on
        self._executor = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="fake-engine")

    def speak(self, passage: Passage) -> ThreadedSpeech:
        """Begin to speak."""
        self.passages.append(passage)
        return ThreadedSpeech(self._steps(passage), self._executor, lookahead_samples=self._lookahead)

    async def open(self) -> None:
        """Nothing to learn."""

    async def warm_up(self) -> None:
        """Nothing to warm."""

    async def close(self) -> None:
        """Let the threads go, be it from a closed gate."""
        self.gate.set()
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _steps(self, passage: Passage) -> Iterator[Step]:
        for index, character in enumerate(passage.text):
            yield self._step(index, character)

    def _step(self, index: int, character: str) -> Step:
        def run(outlet: Outlet) -> None:
            self.steps_begun += 1
            self.step_begun.set()
            try:
                if not self.gate.wait(timeout=30):
                    raise TimeoutError("the test never opened the gate")
                if character == self._fails_on:
                    raise ValueError("secret text of the engine")
                tone = 0.5 * np.sin(2 * np.pi * 400 * np.arange(STEP_SAMPLES) / RATE_HZ + 1)
                if character == self._broken_on:
                    tone[:] = np.nan
                word = WordSpan(index, index + 1, index * STEP_SAMPLES, (index + 1) * STEP_SAMPLES)
                outlet.put(SpeechChunk(tone.astype(np.float32), (word,)))
            finally:
                self.steps_ended += 1

        return run
