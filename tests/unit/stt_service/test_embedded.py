"""Whisper's streaming on words that mean something: the embedded model, hearing sentences and voices unknown to it."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Iterable

import numpy as np
import pytest

from parley.stt.v1 import stt_pb2
from servicekit.startup import StartupError
from stt_service.engines import choose_engine
from stt_service.engines.embedded import MODEL
from stt_service.engines.whisper.engine import WhisperEngine
from stt_service.engines.whisper.utterance import WhisperUtterance
from stt_service.settings import SttSettings, WhisperSettings
from tests.asyncs import async_test
from tests.unit.stt_service.loopback import (
    FINISH,
    Understood,
    config,
    finalize,
    in_pieces,
    on_the_line,
    recognize,
    response,
    serving,
    spoken,
    until,
)
from toolbox.bench.edits import edits
from toolbox.bench.turn_taking.corpus.noises import NOISES, noise_of
from tts_service.espeak import SAMPLE_RATE_HZ, EspeakChunk, speak

pytestmark = pytest.mark.heavy

VOICES = ("en-us+m3", "en+f3", "en-us+f3", "en-gb-x-rp+m7")
"""None was trained on; `scripts/embedded_whisper/voices.py` has them all."""
SENTENCES = (
    "how much is forty minus thirteen", "how much is seventy nine times eight", "yes that is right",
    "please tell me seven plus eighty nine", "tell me your name thank you", "please cancel my order",
    "what is ten divided by seventy one", "can you tell me when the museum opens on friday",
    "is there a bus to the museum in the evening", "please remind me to call my brother on sunday",
    "my account number is nine three five one seven zero", "thank you very much",
)  # fmt: skip
"""None was trained on: their hashes keep them for examinations. They are of the kinds that it knows well."""


def engine(**whisper: object) -> WhisperEngine:
    own = WhisperSettings.model_validate({"workers": 1, **whisper})
    chosen = choose_engine(SttSettings(engine="embedded", capacity=16, partial_interval_ms=200, whisper=own))
    assert isinstance(chosen, WhisperEngine)
    return chosen


def share_wrong(pairs: Iterable[tuple[str, str]]) -> float:
    listed = list(pairs)
    return sum(edits(said.split(), heard.split()) for said, heard in listed) / sum(
        len(said.split()) for said, _ in listed
    )


@async_test
async def test_unknown_sentences_of_unknown_voices_are_understood() -> None:
    async with serving(engine()) as service:

        async def heard(voice: str) -> list[tuple[str, str]]:
            texts = []
            for number, sentence in enumerate(SENTENCES):
                line = spoken(sentence, voice, seed=number)
                texts.append((await recognize(service.stub, [config(), *in_pieces(line, 1600), FINISH])).text)
            return list(zip(SENTENCES, texts, strict=True))

        pairs = [pair for pairs in await asyncio.gather(*map(heard, VOICES)) for pair in pairs]
    assert share_wrong(pairs) <= 0.08, [pair for pair in pairs if pair[0] != pair[1]]


@async_test
async def test_partials_grow_word_by_word_and_what_was_called_stable_stays() -> None:
    said = "please remind me to call my brother on sunday"
    async with serving(engine()) as service:
        call = service.stub.Recognize()
        await call.write(config(partials=True))
        heard = Understood()
        pieces = in_pieces(spoken(said), 1600)
        for message in pieces:
            await call.write(message)
            # In real time, so that there are as many partials as in a call.
            await asyncio.sleep(0.2)
        await call.write(FINISH)
        await call.done_writing()
        while not heard.finals:
            heard.add(await response(call))
    stable = [partial.stable_text for partial in heard.partials]
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(stable))
    assert heard.text.startswith(stable[-1].strip())
    assert len({len(text.split()) for text in stable}) >= 3
    assert heard.text == said


@async_test
async def test_a_caller_who_goes_on_after_a_finalize_is_heard_to_the_end() -> None:
    async with serving(engine()) as service:
        call = service.stub.Recognize()
        first = in_pieces(spoken("my account number is nine three five"), 1600)
        second = in_pieces(spoken("one seven zero"), 1600)
        heard = Understood()
        for message in [config(), *first, finalize(1)]:
            await call.write(message)
        while not heard.finals:
            heard.add(await response(call))
        for message in [*second, FINISH]:
            await call.write(message)
        await call.done_writing()
        while len(heard.finals) < 2:
            heard.add(await response(call))
    assert [final.text for final in heard.finals] == [
        "my account number is nine three five",
        "my account number is nine three five one seven zero",
    ]


def has_caught_up(engine: WhisperEngine, samples: int) -> bool:
    """Whether so much was heard, and nothing of it is being decoded any more."""
    return any(
        isinstance(each, WhisperUtterance) and each._audio.end >= samples and not each._runs for each in engine._live
    )


@async_test
async def test_a_caller_who_talks_for_half_a_minute_loses_and_repeats_no_sentence() -> None:
    line = spoken(", ".join(SENTENCES), rate_wpm=150)
    assert len(line) > 28 * 8000
    own = engine()
    async with serving(own) as service:
        call = service.stub.Recognize()
        heard = Understood()
        await call.write(config(partials=True))
        for number, message in enumerate(in_pieces(line, 4000)):
            await call.write(message)
            # A call is no faster than the model, however busy the machine is that tests it.
            await until(lambda fed=number * 8000: has_caught_up(own, fed))  # type: ignore[misc]
        await call.write(FINISH)
        await call.done_writing()
        while not heard.finals:
            heard.add(await response(call))
    assert share_wrong([(" ".join(SENTENCES), heard.text)]) <= 0.1, heard.text


@async_test
async def test_words_are_timed_as_they_were_spoken() -> None:
    said = "can you tell me when the museum opens on friday"
    chunks: list[EspeakChunk] = []

    def take(chunk: EspeakChunk) -> bool:
        chunks.append(chunk)
        return True

    speak(said, take, voice="en-us")
    line = on_the_line(np.concatenate([chunk.samples for chunk in chunks]), SAMPLE_RATE_HZ)
    async with serving(engine()) as service:
        heard = await recognize(service.stub, [config(word_times=True), *in_pieces(line, 1600), FINISH])
    (final,) = heard.finals
    assert [word.word for word in final.words] == said.split()
    spoken_at = {
        said[word.text_start : word.text_start + word.length]: word.sample / SAMPLE_RATE_HZ
        for chunk in chunks
        for word in chunk.words
    }
    late = [word.start_sample / 8000 - spoken_at[word.word] for word in final.words if word.word in spoken_at]
    assert len(late) >= 7
    assert np.median(np.abs(late)) < 0.1, late
    assert np.abs(late).max() < 0.5, late


@async_test
async def test_the_language_of_an_utterance_is_told_by_its_words() -> None:
    async with serving(engine()) as service:

        async def heard(sentence: str, voice: str) -> tuple[str, str]:
            asked = config(languages=("en", "de"), detect_language=True)
            answer = await recognize(service.stub, [asked, *in_pieces(spoken(sentence, voice), 1600), FINISH])
            return answer.finals[-1].language, answer.text

        german = await heard("kannst du mir helfen", "de")
        english = await heard("how much is forty minus thirteen", "en-us")
    assert german == ("de", "kannst du mir helfen")
    assert english == ("en", "how much is forty minus thirteen")


@async_test
async def test_noises_are_no_words() -> None:
    chance = random.Random(4)
    kinds = NOISES * 3
    async with serving(engine()) as service:
        texts = []
        for kind in kinds:
            burst = noise_of(kind, -25, chance)
            line = on_the_line(np.concatenate([np.zeros(2400, np.float32), burst, np.zeros(2400, np.float32)]), 8000)
            texts.append((await recognize(service.stub, [config(), *in_pieces(line, 1600), FINISH])).text)
    assert sum(bool(text) for text in texts) <= 1, list(zip(kinds, texts, strict=True))


@async_test
async def test_words_that_it_does_not_know_are_not_mistaken_for_ones_that_it_knows() -> None:
    strange = (
        "photosynthesis requires abundant sunlight", "the committee ratified their amendment",
        "sulphur compounds corrode copper pipes", "kangaroos outnumber badgers considerably",
        "subscribers demanded immediate refunds", "velvet curtains muffle trumpets",
    )  # fmt: skip
    async with serving(engine()) as service:
        texts = [
            (await recognize(service.stub, [config(), *in_pieces(spoken(words, voice), 1600), FINISH])).text
            for words, voice in zip(strange, VOICES * 2, strict=False)
        ]
    assert sum(bool(text) for text in texts) <= 1, texts


@async_test
async def test_get_info_tells_what_it_is() -> None:
    async with serving(engine()) as service:
        info = await service.stub.GetInfo(stt_pb2.GetInfoRequest())
    assert (info.engine, list(info.languages)) == ("embedded", ["de", "en"])
    assert not info.punctuation
    assert any("several hundred words" in limitation for limitation in info.limitations)


def test_it_is_small_enough_to_be_embedded() -> None:
    assert sum(file.stat().st_size for file in MODEL.iterdir()) <= 8_000_000


def test_without_its_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(StartupError, match="stt-whisper"):
        choose_engine(SttSettings(engine="embedded"))
