"""When an utterance is decoded, when an outcome that is here will do, and how a long one stays short."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import numpy as np
import pytest
from numpy.typing import NDArray

from stt_service.engines.interface import EngineError, Partial, Request
from stt_service.engines.whisper.decoding import Passage
from stt_service.engines.whisper.utterance import WhisperUtterance
from stt_service.engines.whisper.windows import WHISPER_HZ
from tests.asyncs import async_test
from tests.fakes.whisper_decoding import FakeDecoding, quiet, speech
from tests.unit.stt_service.loopback import until

WORDS = [("one", 0.1, 0.4), ("two", 0.5, 0.9), ("three", 1.0, 1.4)]


class Said:
    """An utterance under test, its partials and its engine."""

    def __init__(self, words: Sequence[tuple[str, float, float]], request: Request, *, held: bool) -> None:
        self.engine = FakeDecoding(words, held=held)
        self.partials: list[Partial] = []
        self.utterance = WhisperUtterance(self.engine, request, self.partials.append)

    def feed(self, samples: NDArray[np.float32], piece: int = 320) -> None:
        for start in range(0, len(samples), piece):
            self.utterance.feed(samples[start : start + piece])

    async def begun(self) -> Passage:
        """The next passage that a worker has begun."""
        return await asyncio.to_thread(self.engine.begun.get, True, 30)


@asynccontextmanager
async def saying(
    words: Sequence[tuple[str, float, float]] = WORDS, request: Request | None = None, *, held: bool = False
) -> AsyncIterator[Said]:
    said = Said(words, request or Request(languages=("en",), partials=True), held=held)
    try:
        yield said
    finally:
        said.utterance.cancel()
        await asyncio.to_thread(said.engine.close)
        await said.utterance.ended


@async_test
async def test_a_finish_after_a_finalize_with_nothing_said_since_is_answered_without_a_decode() -> None:
    async with saying(request=Request(languages=("en",))) as said:
        said.feed(np.concatenate([speech(0, 1.5), quiet(0.2)]))
        first = await said.utterance.transcribe()
        said.feed(quiet(0.7))
        answer = said.utterance.transcribe()
        assert answer.done()
        assert (await answer).text == first.text == "one two three"
        assert (await answer).audio_end_s == pytest.approx(2.4)
        assert len(said.engine.decoded) == 1


@async_test
async def test_a_partial_that_heard_all_speech_is_the_final() -> None:
    async with saying() as said:
        said.feed(np.concatenate([speech(0, 1.5), quiet(0.3)]))
        await until(lambda: bool(said.partials) and said.partials[-1].audio_end_s >= 1.6)
        decodes = len(said.engine.decoded)
        answer = said.utterance.transcribe()
        assert answer.done()
        assert (await answer).text == "one two three"
        assert len(said.engine.decoded) == decodes


@async_test
async def test_speech_after_a_finalize_is_decoded() -> None:
    async with saying(request=Request(languages=("en",))) as said:
        said.feed(np.concatenate([speech(0, 0.95), quiet(0.2)]))
        assert (await said.utterance.transcribe()).text == "one two"
        said.feed(np.concatenate([speech(1.15, 1.5), quiet(0.2)]))
        said.engine.words = [*WORDS[:2], ("three", 1.2, 1.4)]
        assert (await said.utterance.transcribe()).text == "one two three"


@async_test
async def test_a_final_asked_for_in_the_middle_of_a_word_decodes_again_at_the_end() -> None:
    async with saying(request=Request(languages=("en",))) as said:
        said.feed(speech(0, 0.95))
        await said.utterance.transcribe()
        # The word's last consonant may be quieter than anything that a level shows.
        said.feed(quiet(0.3))
        await said.utterance.transcribe()
        assert len(said.engine.decoded) == 2


@async_test
async def test_a_question_waits_for_the_partial_that_is_at_work_on_the_same_speech() -> None:
    async with saying(held=True) as said:
        said.feed(np.concatenate([speech(0, 0.3), quiet(0.2)]))
        await said.begun()
        answer = said.utterance.transcribe()
        assert not answer.done()
        said.engine.let()
        await answer
        assert len(said.engine.decoded) == 1
        assert not said.partials


@async_test
async def test_a_finish_waits_for_the_finalize_that_it_overtakes() -> None:
    async with saying(request=Request(languages=("en",)), held=True) as said:
        said.feed(np.concatenate([speech(0, 1.5), quiet(0.2)]))
        finalize = said.utterance.transcribe()
        await said.begun()
        said.feed(quiet(0.1))
        finish = said.utterance.transcribe()
        finalize.cancel()
        said.engine.let()
        assert (await finish).text == "one two three"
        assert len(said.engine.decoded) == 1


@async_test
async def test_a_partial_over_less_speech_gives_way_to_the_question() -> None:
    async with saying(held=True) as said:
        said.feed(speech(0, 1.0))
        await said.begun()
        said.feed(np.concatenate([speech(1.0, 1.5), quiet(0.2)]))
        answer = said.utterance.transcribe()
        said.engine.let(2)
        assert (await answer).text == "one two three"
        assert [len(passage.audio) for passage in said.engine.decoded] == [round(1.7 * WHISPER_HZ)]


@async_test
async def test_a_doubtful_partial_is_not_shown_and_is_tried_again_with_care_when_somebody_waits() -> None:
    async with saying(held=True) as said:
        said.engine.doubts = 1
        said.feed(np.concatenate([speech(0, 0.3), quiet(0.2)]))
        await said.begun()
        answer = said.utterance.transcribe()
        said.engine.let(2)
        assert (await answer).text == "one"
        assert [passage.careful for passage in said.engine.decoded] == [False, True]
        assert not said.partials


@async_test
async def test_one_partial_is_in_flight_and_what_waits_hears_what_came_meanwhile() -> None:
    async with saying(held=True) as said, saying(held=True) as other:
        # The only worker is busy with somebody else.
        other.utterance._engine = said.engine
        other.feed(speech(0, 0.6))
        await said.begun()
        said.feed(speech(0, 3.0))
        assert said.engine.scheduler.waiting == 1
        said.engine.let(2)
        await until(lambda: len(said.engine.decoded) == 2)
        assert len(said.engine.decoded[1].audio) > 2 * WHISPER_HZ
        await until(lambda: bool(said.partials))


@async_test
async def test_a_cancelled_utterance_leaves_the_queue_at_once_and_is_over() -> None:
    async with saying(held=True) as busy, saying() as said:
        said.utterance._engine = busy.engine
        busy.feed(speech(0, 0.6))
        await busy.begun()
        said.feed(speech(0, 0.6))
        assert busy.engine.scheduler.waiting == 1
        said.utterance.cancel()
        assert busy.engine.scheduler.waiting == 0
        assert said.utterance.ended.done()
        busy.utterance.cancel()
        assert not busy.utterance.ended.done()
        busy.engine.let()
        await busy.utterance.ended
        assert set(busy.engine.forgotten) == {busy.utterance, said.utterance}


@async_test
async def test_nothing_loud_enough_to_be_speech_is_never_decoded() -> None:
    async with saying() as said:
        said.feed(quiet(3.0))
        answer = said.utterance.transcribe()
        assert answer.done()
        assert ((await answer).text, (await answer).audio_end_s) == ("", 3.0)
        assert not said.engine.decoded


@async_test
async def test_a_model_that_fails_is_told_to_whoever_asked() -> None:
    async with saying(request=Request(languages=("en",))) as said:
        said.engine.fails = True
        said.feed(np.concatenate([speech(0, 1.0), quiet(0.2)]))
        with pytest.raises(EngineError, match="RuntimeError"):
            await said.utterance.transcribe()


@pytest.mark.parametrize("partials", [True, False])
def test_a_long_utterance_is_cut_between_words_and_loses_and_repeats_none(partials: bool) -> None:
    @async_test
    async def scenario() -> None:
        words = [(f"w{number}", 0.1 + 0.5 * number, 0.4 + 0.5 * number) for number in range(80)]
        request = Request(languages=("en",), partials=partials, word_times=True)
        async with saying(words, request) as said:
            for start in range(0, 40_000, 500):
                said.feed(speech(start / 1000, start / 1000 + 0.5))
                # Each decode is done before more is said, as on a machine that keeps up.
                await until(lambda: not said.utterance._runs)
            said.feed(quiet(0.2))
            final = await said.utterance.transcribe()
        assert final.text.split() == [text for text, _, _ in words]
        assert [word.start_s for word in final.words] == pytest.approx([begin for _, begin, _ in words], abs=0.001)
        assert max(len(passage.audio) for passage in said.engine.decoded) < 10 * WHISPER_HZ
        # What is settled goes on as the prompt.
        assert said.engine.decoded[-1].settled.split()[0] == "w0"
        stable = [partial.stable for partial in said.partials]
        assert all(later.startswith(before) for before, later in itertools.pairwise(stable))
        assert bool(stable) is partials

    scenario()


@async_test
async def test_the_language_is_settled_for_partials_once_two_decodes_agree_and_asked_again_at_the_end() -> None:
    async with saying() as said:
        for start in (0.0, 0.6, 1.2, 1.8):
            said.feed(speech(start, start + 0.6))
            await until(lambda: not said.utterance._runs)
        said.feed(speech(2.4, 2.45))
        said.feed(quiet(0.02))
        await said.utterance.transcribe()
        languages = [passage.language for passage in said.engine.decoded]
    assert languages[:2] == ["", ""]
    assert set(languages[2:-1]) == {"en"}
    assert languages[-1] == ""
