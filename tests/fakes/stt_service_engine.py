"""An engine that hears how much it was fed, and lets go when the test says so."""

from __future__ import annotations

import asyncio

import numpy as np
from numpy.typing import NDArray

from stt_service.engines.interface import (
    EngineError,
    EngineInfo,
    LanguageUnsupportedError,
    OnPartial,
    Partial,
    Request,
    Transcript,
    Word,
)


class FakeUtterance:
    """Its text is the number of samples that were fed before the question."""

    def __init__(self, engine: FakeEngine, request: Request, on_partial: OnPartial) -> None:
        self.engine = engine
        self.request = request
        self.on_partial = on_partial
        self.samples = 0
        self.cancelled = asyncio.Event()
        self.questions: list[tuple[int, asyncio.Future[Transcript]]] = []
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def feed(self, samples: NDArray[np.float32]) -> None:
        self.samples += len(samples)
        if self.request.partials:
            self.on_partial(Partial(stable="heard", unstable=f" {self.samples}", audio_end_s=self.samples / 8000))

    def transcribe(self) -> asyncio.Future[Transcript]:
        answer: asyncio.Future[Transcript] = asyncio.get_running_loop().create_future()
        self.questions.append((self.samples, answer))
        if self.engine.fails:
            answer.set_exception(EngineError("the fake engine failed"))
        elif not self.engine.slow:
            self.answer()
        return answer

    def answer(self) -> None:
        """Answer every question that waits."""
        for samples, answer in self.questions:
            if not answer.done():
                seconds = samples / 8000
                words = (Word(str(samples), 0.0, seconds, 0.5),) if self.request.word_times else ()
                answer.set_result(Transcript(str(samples), "en", 0.5, seconds, words))

    def cancel(self) -> None:
        self.cancelled.set()
        if not self.engine.lingers:
            self.let_go()

    def let_go(self) -> None:
        """End as an engine does after its last step."""
        if not self.ended.done():
            self.ended.set_result(None)


class FakeEngine:
    """Understands English at 8 kHz."""

    def __init__(self, *, slow: bool = False, lingers: bool = False, fails: bool = False) -> None:
        """``slow`` answers when told, ``lingers`` lets go when told, ``fails`` fails every question."""
        self.slow, self.lingers, self.fails = slow, lingers, fails
        self.utterances: list[FakeUtterance] = []

    info = EngineInfo(
        name="fake",
        version="1",
        model="counter",
        sample_rate_hz=8000,
        languages=("en",),
        capacity=2,
        partials=True,
        word_times=True,
        language_detection=False,
        punctuation=False,
        limitations=("It only counts.",),
    )

    async def open(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        for utterance in self.utterances:
            utterance.cancel()
            utterance.let_go()

    def begin(self, request: Request, on_partial: OnPartial) -> FakeUtterance:
        if request.languages and request.languages[0] != "en":
            raise LanguageUnsupportedError("this model understands en")
        utterance = FakeUtterance(self, request, on_partial)
        self.utterances.append(utterance)
        return utterance
