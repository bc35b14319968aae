"""The contract over a real connection, with the embedded voice."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence

import grpc
import numpy as np
import pytest

from parley.audio.v1 import audio_pb2
from parley.tts.v1 import tts_pb2
from servicekit.audio import MULAW_8K, WireDecoder, bytes_per_sample, describe, pcm
from servicekit.errors import reason_of
from tests.asyncs import async_test
from tests.unit.tts_service.loopback import (
    FINISH,
    FLUSH,
    config,
    messages_left,
    refused,
    response,
    serving,
    synthesize,
    text,
    until,
)
from tts_service.delivery import FORMATS
from tts_service.espeak.engine import EspeakEngine
from tts_service.settings import TtsSettings

ALAW_8K = audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_ALAW, sample_rate_hz=8000, channels=1)


def engine(settings: TtsSettings | None = None) -> EspeakEngine:
    return EspeakEngine(settings or TtsSettings())


@pytest.mark.parametrize("fmt", FORMATS, ids=describe)
def test_a_reply_is_spoken_segment_by_segment_in_every_format(fmt: audio_pb2.AudioFormat) -> None:
    @async_test
    async def scenario() -> None:
        async with serving(engine()) as service:
            messages = [config(fmt=fmt), text(1, "It is noon."), text(2, "Anything else?"), FINISH]
            heard = await synthesize(service.stub, messages)
        assert heard.ready is not None
        assert heard.ready.format == fmt
        assert (heard.ready.voice, heard.ready.engine) == ("en", "espeak")
        assert [done.segment for done in heard.done] == [1, 2]
        assert not any(done.silent for done in heard.done)
        assert [done.samples for done in heard.done] == [heard.samples(1), heard.samples(2)]
        assert heard.finished is not None
        seconds = heard.finished.duration.ToNanoseconds() / 1e9
        assert seconds == pytest.approx(len(heard.payload) / bytes_per_sample(fmt) / fmt.sample_rate_hz, abs=1e-8)
        assert 1.0 < seconds < 4.0
        samples = WireDecoder(fmt).decode(heard.payload)
        assert float(np.abs(samples).max()) > 0.2
        # It begins at once: 10 ms of lead and no more.
        assert np.flatnonzero(np.abs(samples) > 0.005)[0] <= 0.015 * fmt.sample_rate_hz

    scenario()


@async_test
async def test_audio_messages_are_short_the_first_above_all() -> None:
    async with serving(engine()) as service:
        heard = await synthesize(service.stub, [config(), text(1, "A sentence that lasts a few seconds. " * 4), FINISH])
    lengths = [len(message.payload) / 8 for message in heard.audio]
    assert lengths[0] <= 40
    assert max(lengths) <= 200
    assert [message.seq for message in heard.audio] == list(range(1, len(lengths) + 1))


@async_test
async def test_a_flush_speaks_without_more_text() -> None:
    async with serving(engine()) as service:
        call = service.stub.Synthesize()
        await call.write(config())
        await call.write(text(1, "One moment"))
        await call.write(FLUSH)
        kinds = []
        async for message in messages_left(call):
            kinds.append(message.WhichOneof("message"))
            if kinds[-1] == "segment_done" and kinds.count("segment_done") == 1:
                assert message.segment_done.samples > 0
                await call.write(FLUSH)  # nothing is pending: harmless
                await call.write(text(2, "please."))
                await call.write(FINISH)
                await call.done_writing()
        assert await call.code() is grpc.StatusCode.OK
    assert kinds.count("segment_done") == 2
    assert kinds[-1] == "finished"


@async_test
async def test_text_may_come_one_character_at_a_time() -> None:
    words = "Hello there, it is noon."
    async with serving(engine()) as service:
        whole = await synthesize(service.stub, [config(), text(1, words), FINISH])
        split = await synthesize(service.stub, [config(), *(text(1, letter) for letter in words), FINISH])
    assert [done.segment for done in split.done] == [1]
    assert split.done[0].samples == pytest.approx(whole.done[0].samples, rel=0.02)
    assert [(r.text_start, r.text_end) for r in split.ranges[1]] == [
        (r.text_start, r.text_end) for r in whole.ranges[1]
    ]


@async_test
async def test_segment_numbers_may_skip() -> None:
    async with serving(engine()) as service:
        heard = await synthesize(service.stub, [config(), text(3, "yes"), text(7, "no"), FINISH])
    assert [done.segment for done in heard.done] == [3, 7]


@async_test
async def test_a_segment_with_nothing_to_pronounce_is_silent() -> None:
    texts = ["", "   ", "😀 👍🏽", "...", "—!?", "\x00\x1b\u200b", "spoken"]
    async with serving(engine()) as service:
        messages = [text(number, words) for number, words in enumerate(texts, start=1)]
        heard = await synthesize(service.stub, [config(), *messages, FINISH])
    assert [done.silent for done in heard.done] == [True] * 6 + [False]
    assert [done.samples for done in heard.done][:6] == [0] * 6
    assert {message.segment for message in heard.audio} == {7}


@async_test
async def test_a_reply_without_text_is_empty() -> None:
    async with serving(engine()) as service:
        heard = await synthesize(service.stub, [config(), FLUSH, FINISH])
    assert heard.audio == []
    assert heard.finished is not None
    assert heard.finished.duration.ToNanoseconds() == 0


UNICODE = [
    "naïve café, Ångström, ½ of it",
    "Привет, как дела?",
    "你好，世界。",
    "مرحبا بالعالم",
    "नमस्ते दुनिया",
    "a\u0301 combining, \u202eright to left\u202c, \ufeffmark",
    "tabs\tand\nlines\r\nand\x0bother\x85breaks\u2028here",
    "control\x01\x02\x1b[31mcharacters\x7f",
    "<speak>not <break time='9s'/> markup</speak> &amp; [[k@t]]",
    "zero\x00byte",
    "👨‍👩‍👧 family, 🇩🇪 flag, 1️⃣ keycap, ✔️ tick",
]


@pytest.mark.parametrize("words", UNICODE)
def test_any_text_is_spoken_and_its_ranges_stay_in_order(words: str) -> None:
    @async_test
    async def scenario() -> None:
        async with serving(engine()) as service:
            heard = await synthesize(service.stub, [config(), text(1, words), FINISH])
        samples = heard.done[0].samples
        assert samples > 0
        ranges = heard.ranges.get(1, [])
        assert ranges
        assert ranges[0].start_sample >= 0
        assert ranges[-1].end_sample <= samples
        for piece in ranges:
            assert 0 <= piece.text_start < piece.text_end <= len(words)
            assert piece.start_sample < piece.end_sample
        for before, after in itertools.pairwise(ranges):
            assert before.text_end <= after.text_start
            assert before.end_sample <= after.start_sample

    scenario()


def test_what_follows_a_zero_byte_is_spoken_too() -> None:
    @async_test
    async def scenario() -> None:
        async with serving(engine()) as service:
            cut = await synthesize(service.stub, [config(), text(1, "zero"), FINISH])
            whole = await synthesize(service.stub, [config(), text(1, "zero\x00byte and more"), FINISH])
        assert whole.done[0].samples > 1.5 * cut.done[0].samples

    scenario()


@async_test
async def test_alignments_name_the_words_and_come_only_when_wanted() -> None:
    words = "Hello world, it is noon. Anything else that you want to know today? I would be glad to tell you more. " * 2
    async with serving(engine()) as service:
        heard = await synthesize(service.stub, [config(fmt=pcm(16000)), text(1, words), FINISH])
        without = await synthesize(service.stub, [config(alignments=False), text(1, "Hello"), FINISH])
    said = [words[piece.text_start : piece.text_end] for piece in heard.ranges[1]]
    assert " ".join(said).split() == words.split()
    assert heard.ranges[1][0].start_sample < 0.1 * 16000
    assert heard.ranges[1][-1].end_sample > 0.9 * heard.done[0].samples
    assert without.ranges == {}


@async_test
async def test_a_segments_language_brings_its_voice() -> None:
    async with serving(engine()) as service:
        messages = [
            config(language="en-US"),
            text(1, "one two three"),
            text(2, "eins zwei drei", language="de"),
            FINISH,
        ]
        heard = await synthesize(service.stub, messages)
        named = await synthesize(service.stub, [config("de"), text(1, "eins"), FINISH])
    assert heard.ready is not None
    assert heard.ready.voice == "en-us"
    assert not heard.done[1].silent
    assert named.ready is not None
    assert named.ready.voice == "de"


@async_test
async def test_speed_shortens_and_nonsense_speeds_are_normal() -> None:
    lengths = {}
    async with serving(engine()) as service:
        for speed in (0.0, 1.0, 2.0, 0.5, 1000.0, float("nan"), -3.0):
            heard = await synthesize(service.stub, [config(speed=speed), text(1, "one two three four five"), FINISH])
            lengths[str(speed)] = heard.done[0].samples
    assert lengths["0.0"] == pytest.approx(lengths["1.0"], rel=0.02)
    assert lengths["nan"] == pytest.approx(lengths["1.0"], rel=0.02)
    assert lengths["-3.0"] == pytest.approx(lengths["1.0"], rel=0.02)
    assert lengths["1000.0"] == pytest.approx(lengths["2.0"], rel=0.02)
    assert lengths["2.0"] < 0.75 * lengths["1.0"] < 0.6 * lengths["0.5"]


OPUS = audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_OPUS, sample_rate_hz=48000, channels=1)
MULAW_16K = audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_MULAW, sample_rate_hz=16000)
STEREO = audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_PCM_S16LE, sample_rate_hz=16000, channels=2)
REFUSED: list[tuple[str, Sequence[tts_pb2.SynthesizeRequest], str]] = [
    ("opus", [config(fmt=OPUS)], "FORMAT_UNSUPPORTED"),
    ("stereo", [config(fmt=STEREO)], "FORMAT_UNSUPPORTED"),
    ("odd rate", [config(fmt=pcm(11025))], "FORMAT_UNSUPPORTED"),
    ("no format", [config(fmt=audio_pb2.AudioFormat())], "FORMAT_UNSUPPORTED"),
    ("mulaw at 16 kHz", [config(fmt=MULAW_16K)], "FORMAT_UNSUPPORTED"),
    ("unknown encoding", [config(fmt=audio_pb2.AudioFormat(encoding=77, sample_rate_hz=8000))], "FORMAT_UNSUPPORTED"),  # type: ignore[arg-type]
    ("unknown voice", [config("nobody")], "VOICE_UNKNOWN"),
    ("unknown variant", [config("en+nobody")], "VOICE_UNKNOWN"),
    ("a path as voice", [config("../../etc/passwd")], "VOICE_UNKNOWN"),
    ("unknown language", [config(language="zu")], "LANGUAGE_UNSUPPORTED"),
    ("voice of another language", [config("de", "fr")], "LANGUAGE_UNSUPPORTED"),
    ("unknown voice of a segment", [config(), text(1, "a", "nobody"), FINISH], "VOICE_UNKNOWN"),
    ("unknown language of a segment", [config(), text(1, "a", "", "zu"), FINISH], "LANGUAGE_UNSUPPORTED"),
    ("text first", [text(1, "a")], "MESSAGE_ORDER"),
    ("nothing in the message", [tts_pb2.SynthesizeRequest()], "MESSAGE_ORDER"),
    ("two configs", [config(), config()], "MESSAGE_ORDER"),
    ("segment 0", [config(), text(0, "a")], "MESSAGE_ORDER"),
    ("a lower segment", [config(), text(2, "..."), text(1, "...")], "MESSAGE_ORDER"),
    ("text of a flushed segment", [config(), text(1, "..."), FLUSH, text(1, "...")], "MESSAGE_ORDER"),
    ("10,001 code points", [config(), text(1, "." * 10_001)], "TEXT_TOO_LONG"),
    ("10,001 in parts", [config(), *(text(1, "." * 1000) for _ in range(10)), text(1, ".")], "TEXT_TOO_LONG"),
]


@pytest.mark.parametrize(("messages", "reason"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_breaks_the_contract_is_refused_and_the_next_reply_is_spoken(
    messages: Sequence[tts_pb2.SynthesizeRequest], reason: str
) -> None:
    @async_test
    async def scenario() -> None:
        async with serving(engine(), capacity=1) as service:
            error = await refused(service.stub, messages)
            assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert reason_of(error) == reason
            assert service.slots.in_use == 0
            heard = await synthesize(service.stub, [config(), text(1, "good"), FINISH])
            assert heard.done[0].samples > 0

    scenario()


@async_test
async def test_10_000_code_points_are_taken() -> None:
    async with serving(engine()) as service:
        heard = await synthesize(service.stub, [config(), text(1, "ok" + "." * 9_998), FINISH])
    assert heard.done[0].samples > 0


@async_test
async def test_a_message_after_finish_is_refused_while_the_reply_is_spoken() -> None:
    long = "A sentence that lasts a few seconds and is followed by another. " * 20
    async with serving(engine()) as service:
        error = await refused(service.stub, [config(), text(1, long), FINISH, FINISH])
    assert reason_of(error) == "MESSAGE_ORDER"


@async_test
async def test_one_reply_more_than_there_are_slots_is_refused() -> None:
    async with serving(engine(), capacity=1) as service:
        first = service.stub.Synthesize()
        await first.write(config())
        assert (await response(first)).HasField("ready")
        error = await refused(service.stub, [config()])
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert reason_of(error) == "CAPACITY"
        await first.write(FINISH)
        await first.done_writing()
        assert (await response(first)).HasField("finished")
        assert await first.code() is grpc.StatusCode.OK
        await synthesize(service.stub, [config(), FINISH])


@async_test
async def test_a_draining_server_finishes_its_replies_and_takes_no_more() -> None:
    async with serving(engine(), capacity=2) as service:
        first = service.stub.Synthesize()
        await first.write(config())
        await response(first)
        drain = asyncio.create_task(service.server.drain(slots=service.slots))
        await until(lambda: service.server.draining)
        error = await refused(service.stub, [config()])
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert reason_of(error) == "DRAINING"
        await first.write(text(1, "still here"))
        await first.write(FINISH)
        await first.done_writing()
        kinds = [message.WhichOneof("message") async for message in messages_left(first)]
        assert kinds[-2:] == ["segment_done", "finished"]
        await drain


@async_test
async def test_a_stream_that_ends_without_finish_is_a_client_that_went_away() -> None:
    async with serving(engine(), capacity=1) as service:
        for messages in ([], [config()], [config(), text(1, "a b c")]):
            error = await refused(service.stub, messages, half_close=True)
            assert error.code() is grpc.StatusCode.CANCELLED
            assert service.slots.in_use == 0


@async_test
async def test_a_reply_whose_text_does_not_come_loses_its_slot() -> None:
    async with serving(engine(), TtsSettings(idle_timeout_s=0.05), capacity=1) as service:
        call = service.stub.Synthesize()
        await call.write(config())
        assert (await response(call)).HasField("ready")
        assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert service.slots.in_use == 0


@async_test
async def test_twenty_replies_at_once_are_each_their_own() -> None:
    counts = list(range(1, 21))
    async with serving(engine()) as service:
        replies = await asyncio.gather(
            *(synthesize(service.stub, [config(), text(1, "seven " * count), FINISH]) for count in counts)
        )
    samples = [heard.done[0].samples for heard in replies]
    assert samples == sorted(samples)
    assert samples[-1] > 10 * samples[0]


@async_test
async def test_get_info_tells_the_truth() -> None:
    async with serving(engine(), capacity=5) as service:
        info = await service.stub.GetInfo(tts_pb2.GetInfoRequest())
        assert (info.contract, info.engine, info.default_voice) == ("parley.tts.v1", "espeak", "en")
        assert info.engine_version[0].isdigit()
        assert (info.capacity, info.in_use) == (5, 0)
        assert info.alignments
        assert any("robotic" in limitation for limitation in info.limitations)
        assert MULAW_8K in list(info.formats)
        assert ALAW_8K in list(info.formats)
        assert {"en-GB", "en-US", "de", "es-419"} <= set(info.languages)
        call = service.stub.Synthesize()
        await call.write(config())
        await response(call)
        assert (await service.stub.GetInfo(tts_pb2.GetInfoRequest())).in_use == 1
        call.cancel()


@async_test
async def test_every_language_of_get_info_is_spoken_by_a_voice_of_list_voices() -> None:
    async with serving(engine()) as service:
        info = await service.stub.GetInfo(tts_pb2.GetInfoRequest())
        everyone = await service.stub.ListVoices(tts_pb2.ListVoicesRequest())
        german = await service.stub.ListVoices(tts_pb2.ListVoicesRequest(language="de-AT"))
        nobody = await service.stub.ListVoices(tts_pb2.ListVoicesRequest(language="zu"))
    assert {tag for voice in everyone.voices for tag in voice.languages} == set(info.languages)
    assert [voice.name for voice in german.voices] == ["de"]
    assert not nobody.voices
