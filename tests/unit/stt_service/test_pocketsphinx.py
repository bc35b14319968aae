"""The embedded recogniser, really listening to eSpeak voices over the telephone."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import numpy as np
import pytest

from parley.audio.v1 import audio_pb2
from parley.stt.v1 import stt_pb2
from servicekit.audio import pcm
from servicekit.errors import Reason, reason_of
from servicekit.startup import StartupError
from stt_service.engines.pocketsphinx.decoder import SentenceDecoder
from stt_service.engines.pocketsphinx.engine import PocketsphinxEngine
from stt_service.settings import PocketsphinxSettings, SttSettings
from tests.asyncs import async_test
from tests.unit.stt_service.loopback import (
    FINISH,
    Understood,
    audio,
    config,
    finalize,
    in_pieces,
    on_the_line,
    recognize,
    refused,
    response,
    serving,
    spoken,
)

QUESTIONS = (
    "what time is it", "what is the time", "tell me the time", "what is seven plus five",
    "how much is twelve minus four", "what is six times seven", "what is twenty one plus thirty four",
    "how much is ninety divided by three", "what is one hundred minus one", "what is thirteen times two",
    "what is fifty minus fifteen", "how much is eighty eight divided by eleven", "what is nineteen times three",
)  # fmt: skip
SMALL_TALK = (
    "how are you", "hello", "good morning", "what is your name", "who are you", "thank you", "tell me a story",
    "tell me a long story", "goodbye", "bye", "thank you goodbye",
)  # fmt: skip
INTERRUPTIONS = ("stop", "stop please", "wait", "wait a moment", "no")
VOICES = ("en", "en-us", "en-gb-x-rp", "en-us+m3")


def engine(capacity: int = 2, **settings: object) -> PocketsphinxEngine:
    own = PocketsphinxSettings.model_validate(settings)
    return PocketsphinxEngine(SttSettings(capacity=capacity, pocketsphinx=own, partial_interval_ms=200))


@async_test
async def test_the_demos_sentences_are_understood_word_for_word_by_several_voices() -> None:
    async with serving(engine(capacity=4)) as service:
        sentences = QUESTIONS + SMALL_TALK + INTERRUPTIONS

        async def errors(voice: str) -> list[str]:
            found = []
            for number, sentence in enumerate(sentences):
                line = spoken(sentence, voice, seed=number)
                heard = await recognize(service.stub, [config(), *in_pieces(line), FINISH])
                if heard.text != sentence:
                    found.append(f"{voice}: {sentence!r} was heard as {heard.text!r}")
            return found

        wrong = [error for found in await asyncio.gather(*map(errors, VOICES)) for error in found]
    assert len(wrong) <= 0.05 * len(sentences) * len(VOICES), wrong


@async_test
async def test_a_final_says_when_each_word_was_spoken_and_how_sure_it_is() -> None:
    async with serving(engine()) as service:
        line = spoken("tell me a long story", lead_s=1.0)
        heard = await recognize(service.stub, [config(word_times=True), *in_pieces(line), FINISH])
    (final,) = heard.finals
    assert final.text == "tell me a long story"
    assert (final.language, final.language_confidence) == ("en", 0)
    assert final.confidence > 0.5
    assert [word.word for word in final.words] == final.text.split()
    starts = [word.start_sample for word in final.words]
    assert starts == sorted(starts)
    assert 0.8 * 8000 < starts[0] < 1.3 * 8000  # after the second of silence, in samples of the wire
    assert final.words[-1].end_sample <= len(line)


@async_test
async def test_partials_grow_and_what_was_called_stable_stays() -> None:
    async with serving(engine()) as service:
        pieces = in_pieces(spoken("what is twenty one plus thirty four"))
        call = service.stub.Recognize()
        await call.write(config(partials=True))
        heard = Understood()
        # One is waited for in each half: a final that is asked for would overtake them all.
        for half in (pieces[: len(pieces) // 2], pieces[len(pieces) // 2 :]):
            for message in half:
                await call.write(message)
            known = len(heard.partials)
            while len(heard.partials) == known:
                heard.add(await response(call))
        await call.write(finalize(1))
        while not heard.finals:
            heard.add(await response(call))
        call.cancel()
        await service.slots.wait_idle()
    assert heard.partials
    stable = [partial.stable_text for partial in heard.partials]
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(stable))
    assert heard.text == "what is twenty one plus thirty four"


@async_test
async def test_a_pause_in_mid_sentence_is_answered_and_then_the_caller_goes_on() -> None:
    async with serving(engine()) as service:
        call = service.stub.Recognize()
        order = [config(), *in_pieces(spoken("what is six", tail_s=0.2)), finalize(1)]
        for message in order:
            await call.write(message)
        assert (await response(call)).HasField("ready")
        assert (await response(call)).final.text == "what is six"
        for message in [*in_pieces(spoken("times seven", lead_s=0.2)), finalize(2), FINISH]:
            await call.write(message)
        await call.done_writing()
        last = (await response(call)).final
        while last.finalize_id != 0:
            last = (await response(call)).final
    assert last.text == "what is six times seven"


@pytest.mark.parametrize(
    "fmt",
    [
        audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_ALAW, sample_rate_hz=8000, channels=1),
        pcm(16_000),
        pcm(48_000),
    ],
    ids=["alaw", "16k", "48k"],
)
def test_other_formats_are_understood_as_well(fmt: audio_pb2.AudioFormat) -> None:
    @async_test
    async def scenario() -> None:
        async with serving(engine(capacity=1)) as service:
            line = spoken("what is six times seven", fmt=fmt)
            heard = await recognize(service.stub, [config(fmt), *in_pieces(line, 1001), FINISH])
        assert heard.text == "what is six times seven"

    scenario()


def bursts() -> dict[str, bytes]:
    """Sounds of a telephone line that are no speech."""
    noise = np.random.default_rng(3)
    quiet = np.zeros(2400, np.float32)
    sounds = {
        "silence": np.zeros(8000, np.float32),
        "hiss": noise.standard_normal(8000, dtype=np.float32) * np.float32(0.1),
        "a cough": noise.standard_normal(2400, dtype=np.float32)
        * np.hanning(2400).astype(np.float32)
        * np.float32(0.3),
        "a click": np.concatenate([np.full(40, 0.7, np.float32), quiet]),
        "a hum": (0.2 * np.sin(2 * np.pi * 120 * np.arange(4000) / 8000)).astype(np.float32),
        "a beep": (0.2 * np.sin(2 * np.pi * 1000 * np.arange(4000) / 8000)).astype(np.float32),
    }
    return {name: on_the_line(np.concatenate([quiet, sound, quiet]), 8000) for name, sound in sounds.items()}


@async_test
async def test_what_is_no_speech_gives_no_text() -> None:
    async with serving(engine()) as service:
        for name, line in bursts().items():
            heard = await recognize(service.stub, [config(), *in_pieces(line), FINISH])
            assert (heard.text, heard.finals[0].confidence) == ("", 0), name


FOREIGN = (
    "the weather in paris is rather nice today", "i would like to book a flight to london",
    "my dog ate the homework yesterday evening", "can you send an email to my brother",
    "please turn the lights off in the kitchen", "he said that nobody had ever seen it before",
    "remind me to buy milk and eggs", "mm hmm", "well", "maybe later",
)  # fmt: skip


@async_test
async def test_speech_outside_the_grammar_gives_no_text_instead_of_a_confident_sentence() -> None:
    async with serving(engine()) as service:
        heard = {
            words: (await recognize(service.stub, [config(), *in_pieces(spoken(words, voice)), FINISH])).text
            for voice in ("en", "en-us")
            for words in FOREIGN
        }
    assert sum(1 for text in heard.values() if text) <= 1, heard


@async_test
async def test_without_rejection_the_grammar_finds_a_sentence_in_anything() -> None:
    async with serving(engine(rejection=0)) as service:
        line = spoken("play some music by the beatles", "en")
        heard = await recognize(service.stub, [config(), *in_pieces(line), FINISH])
    assert heard.finals[0].confidence < 1


@async_test
async def test_audio_too_short_to_hold_a_word_is_nothing_said() -> None:
    async with serving(engine(capacity=1)) as service:
        for payload in (b"", b"\xff", b"\xff" * 300):
            heard = await recognize(service.stub, [config(), audio(payload), finalize(1), finalize(2), FINISH])
            assert heard.text == ""


@async_test
async def test_one_caller_after_another_is_heard_the_same() -> None:
    """The decoder's adaptation to one voice and line must not reach the next."""
    async with serving(engine(capacity=1)) as service:
        line = spoken("what is thirteen times two", "en-us+m3")
        messages = [config(word_times=True), *in_pieces(line), FINISH]
        first = await recognize(service.stub, messages)
        loud = (0.5 * np.random.default_rng(1).standard_normal(80_000)).astype(np.float32)
        await recognize(service.stub, [config(), *in_pieces(on_the_line(loud, 8000), 8000), FINISH])
        again = await recognize(service.stub, messages)
    assert first.finals == again.finals


@async_test
async def test_a_cancelled_utterance_stops_within_a_step_and_frees_its_decoder() -> None:
    async with serving(engine(capacity=1)) as service:
        call = service.stub.Recognize()
        await call.write(config())
        assert (await response(call)).HasField("ready")
        await call.write(audio(spoken("tell me a story") * 20))
        await call.write(finalize(1))
        call.cancel()
        await service.slots.wait_idle()
        heard = await recognize(service.stub, [config(), *in_pieces(spoken("stop please")), FINISH])
    assert heard.text == "stop please"


@async_test
async def test_a_decoder_that_fails_fails_its_utterance_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: SentenceDecoder, audio_: bytes) -> None:
        raise RuntimeError("out of frames")

    async with serving(engine(capacity=1)) as service:
        with monkeypatch.context() as patch:
            patch.setattr(SentenceDecoder, "hear", broken)
            error = await refused(service.stub, [config(), *in_pieces(spoken("stop")), FINISH])
        assert reason_of(error) == Reason.ENGINE_FAILED
        heard = await recognize(service.stub, [config(), *in_pieces(spoken("stop")), FINISH])
    assert heard.text == "stop"


@async_test
async def test_its_language_is_english_of_any_region() -> None:
    async with serving(engine(capacity=1)) as service:
        heard = await recognize(service.stub, [config(languages=["en-GB"]), FINISH])
        assert heard.finals[0].language == "en-GB"
        heard = await recognize(service.stub, [config(languages=["de", "en"], detect_language=True), FINISH])
        assert heard.finals[0].language == "en"
        for languages in (["de"], ["de", "en"]):
            error = await refused(service.stub, [config(languages=languages)])
            assert reason_of(error) == Reason.LANGUAGE_UNSUPPORTED


@async_test
async def test_get_info_says_that_it_is_for_demo_and_tests() -> None:
    async with serving(engine()) as service:
        info = await service.stub.GetInfo(stt_pb2.GetInfoRequest())
    assert (info.engine, info.capacity, list(info.languages)) == ("pocketsphinx", 2, ["en"])
    assert (info.partials, info.word_times, info.language_detection, info.punctuation) == (True, True, False, False)
    assert any("demo" in sentence for sentence in info.limitations)


@async_test
async def test_your_own_grammar_and_words_take_the_place_of_the_demos(tmp_path: Path) -> None:
    grammar, words = tmp_path / "lights.gram", tmp_path / "lights.dict"
    grammar.write_text(
        "#JSGF V1.0;\ngrammar lights;\npublic <s> = (lights | parleybot) (on | off);\n", encoding="utf-8"
    )
    words.write_text("parleybot P AA R L IY B AA T\n", encoding="utf-8")
    async with serving(engine(grammar=grammar, dictionary=words)) as service:
        for sentence in ("lights on", "parleybot off"):
            heard = await recognize(service.stub, [config(), *in_pieces(spoken(sentence)), FINISH])
            assert heard.text == sentence


BROKEN_GRAMMARS = {
    "missing": (None, "cannot read"),
    "not a grammar": ("hello", "not a JSGF grammar"),
    "a syntax error": ("#JSGF V1.0;\ngrammar g;\npublic <s> = (stop;\n", "not a valid JSGF grammar"),
    "no words": ("#JSGF V1.0;\ngrammar g;\npublic <s> = <NULL>;\n", "holds no words"),
    "an unknown word": ("#JSGF V1.0;\ngrammar g;\npublic <s> = stop xyzzyq;\n", "xyzzyq"),
}


@pytest.mark.parametrize(("text", "complaint"), BROKEN_GRAMMARS.values(), ids=BROKEN_GRAMMARS.keys())
def test_a_broken_grammar_stops_the_start_with_the_setting_to_mend(
    text: str | None, complaint: str, tmp_path: Path
) -> None:
    @async_test
    async def scenario() -> None:
        grammar = tmp_path / "broken.gram"
        if text is not None:
            grammar.write_text(text, encoding="utf-8")
        broken = engine(grammar=grammar)
        with pytest.raises(StartupError, match=complaint) as stopped:
            await broken.open()
        await broken.close()
        assert "stt.pocketsphinx.grammar" in str(stopped.value)

    scenario()
