"""Text to speech that dies or breaks its contract: rows 50 and 57 of the fault catalogue."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import numpy as np
import pytest
from opentelemetry.context import Context

from orchestrator.heard import SegmentText
from orchestrator.received_sound import ReceivedSound, UnusableSoundError
from orchestrator.server import cut_into_segments
from orchestrator.spoken import SpokenReply
from orchestrator.synthesis import SegmentQueue, Synthesis, SynthesisError, VoiceOptions
from parley.audio.v1 import audio_pb2
from parley.tts.v1 import tts_pb2_grpc
from servicekit.audio import MULAW_8K, pcm
from servicekit.channels import open_channel
from servicekit.telemetry import Telemetry
from tests.asyncs import async_test
from tests.fakes.orchestrator_tts import SAMPLES_PER_CHARACTER, FakeTts, sound_of, text_in

VOICE = VoiceOptions("", "", "en", 1.0, audio_pb2.ENCODING_MULAW, 8000)
STORY = "Once upon a time there was a fox who lived in a wood. Every day the fox went to the river to drink."
PATIENCE_S = 10.0


@asynccontextmanager
async def served(tts: FakeTts) -> AsyncIterator[Synthesis]:
    server = grpc.aio.server()
    tts_pb2_grpc.add_TextToSpeechServicer_to_server(tts, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with open_channel(f"127.0.0.1:{port}") as channel:
        try:
            yield Synthesis(
                tts_pb2_grpc.TextToSpeechStub(channel),
                VOICE,
                Telemetry("test"),
                Context(),
                ahead_ms=60_000,
                retry_pause_s=0.01,
            )
        finally:
            await server.stop(None)


def queue_of(segments: Sequence[SegmentText]) -> SegmentQueue:
    queue = SegmentQueue()
    for segment in segments:
        queue.put(segment)
    queue.close()
    return queue


async def spoken_by(tts: FakeTts, text: str = STORY) -> SpokenReply:
    """A whole reply as this server speaks it."""
    into = SpokenReply(MULAW_8K)
    async with served(tts) as synthesis, asyncio.timeout(PATIENCE_S):
        await synthesis.run(queue_of(cut_into_segments(text, "en")), into)
    into.close()
    return into


def said(reply: SpokenReply) -> str:
    return text_in(reply.read(0, reply.samples))


WHOLE = "".join(segment.spoken for segment in cut_into_segments(STORY, "en"))


@pytest.mark.parametrize("characters", [1, 7, 30, 53, 60, 90])
def test_row_50_a_server_that_dies_in_mid_reply_is_replaced_and_nothing_is_said_twice(characters: int) -> None:
    @async_test
    async def scenario() -> None:
        tts = FakeTts()
        tts.dies_after = [characters * SAMPLES_PER_CHARACTER + 100]
        reply = await spoken_by(tts)
        assert said(reply) == WHOLE
        assert [segment.done for segment in reply.segments] == [True] * len(reply.segments)
        assert len(tts.rpcs) == 2

    scenario()


@async_test
async def test_row_50_servers_that_die_one_after_the_other_are_replaced() -> None:
    tts = FakeTts()
    tts.dies_after = [10 * SAMPLES_PER_CHARACTER, 20 * SAMPLES_PER_CHARACTER, 55 * SAMPLES_PER_CHARACTER]
    assert said(await spoken_by(tts)) == WHOLE


@async_test
async def test_segments_that_were_complete_are_not_spoken_again() -> None:
    tts = FakeTts()
    first = cut_into_segments(STORY, "en")[0].spoken
    tts.dies_after = [(len(first) + 3) * SAMPLES_PER_CHARACTER]
    await spoken_by(tts)
    assert first not in tts.rpcs[1].texts.values()


@async_test
async def test_row_50_what_a_caller_is_hearing_already_is_neither_repeated_nor_lost() -> None:
    tts = FakeTts()
    tts.dies_after = [40 * SAMPLES_PER_CHARACTER]
    into = SpokenReply(MULAW_8K)
    heard = bytearray()

    async def hear() -> None:
        while waiting := await into.available(len(heard)):
            heard.extend(into.read(len(heard), min(waiting, 160)))
            await asyncio.sleep(0)

    async with served(tts) as synthesis, asyncio.timeout(PATIENCE_S):
        hearing = asyncio.create_task(hear())
        await synthesis.run(queue_of(cut_into_segments(STORY, "en")), into)
        into.close()
        await hearing
    assert text_in(bytes(heard)) == WHOLE


@async_test
async def test_row_50_without_any_server_left_what_came_stands_and_the_failure_is_told() -> None:
    tts = FakeTts()
    tts.dies_after = [20 * SAMPLES_PER_CHARACTER]
    into = SpokenReply(MULAW_8K)
    async with served(tts) as synthesis, asyncio.timeout(PATIENCE_S):
        synthesis.patience_s = 0.05
        synthesis.on_first_audio = lambda: setattr(tts, "fail", True)
        with pytest.raises(SynthesisError, match="UNAVAILABLE"):
            await synthesis.run(queue_of(cut_into_segments(STORY, "en")), into)
    assert WHOLE.startswith(said(into))
    assert into.samples > 0


@async_test
async def test_row_50_a_server_that_takes_long_to_come_back_is_waited_for() -> None:
    tts = FakeTts()
    tts.dies_after = [20 * SAMPLES_PER_CHARACTER]
    into = SpokenReply(MULAW_8K)
    async with served(tts) as synthesis, asyncio.timeout(PATIENCE_S):
        synthesis.on_first_audio = lambda: setattr(tts, "fail", True)
        speaking = asyncio.create_task(synthesis.run(queue_of(cut_into_segments(STORY, "en")), into))
        await tts.until_rpcs_ended(30)
        tts.fail = False
        await speaking
    assert said(into) == WHOLE


@async_test
async def test_a_text_that_kills_every_server_is_given_up() -> None:
    tts = FakeTts()
    tts.dies_after = [number * SAMPLES_PER_CHARACTER for number in range(20, 50)]
    with pytest.raises(SynthesisError):
        await spoken_by(tts)
    assert len(tts.rpcs) < 20


@async_test
async def test_a_text_at_which_every_server_dies_at_the_same_place_is_given_up_in_time() -> None:
    tts = FakeTts()
    tts.dies_after = [20 * SAMPLES_PER_CHARACTER] * 100_000
    into = SpokenReply(MULAW_8K)
    async with served(tts) as synthesis, asyncio.timeout(PATIENCE_S):
        synthesis.patience_s = 0.1
        with pytest.raises(SynthesisError):
            await synthesis.run(queue_of(cut_into_segments(STORY, "en")), into)


@async_test
async def test_a_server_that_tires_of_waiting_for_the_brain_is_asked_again_when_there_is_more() -> None:
    tts = FakeTts()
    tts.ends_early = [grpc.StatusCode.DEADLINE_EXCEEDED]
    segments = cut_into_segments(STORY, "en")
    queue = SegmentQueue()
    queue.put(segments[0])
    into = SpokenReply(MULAW_8K)
    async with served(tts) as synthesis, asyncio.timeout(PATIENCE_S):
        running = asyncio.create_task(synthesis.run(queue, into))
        await tts.until_rpcs_ended(1)
        for segment in segments[1:]:
            queue.put(segment)
        queue.close()
        await running
    assert said(into) == WHOLE


@async_test
async def test_row_57_a_server_that_gives_no_sound_is_tried_again_and_then_reported() -> None:
    tts = FakeTts()
    tts.payloads = lambda sound: ()
    with pytest.raises(SynthesisError, match="no sound"):
        await spoken_by(tts)
    assert len(tts.rpcs) == 2


@async_test
async def test_row_57_a_server_that_never_stops_is_refused() -> None:
    tts = FakeTts()
    tts.payloads = lambda sound: [sound] * 100
    with pytest.raises(SynthesisError, match="does not stop"):
        await spoken_by(tts)


@async_test
async def test_row_57_a_servers_wav_header_is_not_spoken() -> None:
    tts = FakeTts()
    tts.payloads = lambda sound: (wav_header(7, 8000, 8) + sound,)
    assert said(await spoken_by(tts)) == WHOLE


@async_test
async def test_row_57_another_rate_than_was_asked_for_is_converted() -> None:
    tts = FakeTts()
    tts.answers_in = audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_MULAW, sample_rate_hz=16_000, channels=1)
    reply = await spoken_by(tts)
    expected = len(sound_of(WHOLE)) / 2
    assert abs(reply.samples - expected) < 0.02 * expected
    last = reply.segments[-1]
    assert last.ranges[-1].end <= last.samples + 100


@async_test
async def test_row_57_a_format_that_cannot_be_converted_is_refused() -> None:
    tts = FakeTts()
    tts.answers_in = audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_OPUS, sample_rate_hz=48_000, channels=1)
    with pytest.raises(SynthesisError, match="opus"):
        await spoken_by(tts)


def wav_header(tag: int, rate_hz: int, bits: int, remark: bytes = b"") -> bytes:
    """A WAV file up to its samples, of unknown length as streams have it."""
    width = bits // 8
    chunk = struct.pack("<HHIIHH", tag, 1, rate_hz, rate_hz * width, width, bits)
    listed = b"LIST" + struct.pack("<I", len(remark)) + remark if remark else b""
    return b"RIFF\xff\xff\xff\xffWAVEfmt " + struct.pack("<I", 16) + chunk + listed + b"data\xff\xff\xff\xff"


@pytest.mark.parametrize("cut", [1, 3, 5, 11, 13, 30, 43, 44, 45, 100])
def test_row_57_a_header_is_left_out_wherever_it_is_cut(cut: int) -> None:
    samples = np.arange(400, dtype="<i2").tobytes()
    file = wav_header(1, 24_000, 16, b"made by somebody") + samples
    sound = ReceivedSound(pcm(24_000))
    assert b"".join(sound.take(1, file[at : at + cut]) for at in range(0, len(file), cut)) == samples


def test_row_57_bytes_of_half_a_sample_wait_for_the_rest() -> None:
    samples = np.arange(400, dtype="<i2").tobytes()
    sound = ReceivedSound(pcm(8000))
    taken = [sound.take(1, samples[at : at + 7]) for at in range(0, len(samples), 7)]
    assert b"".join(taken) == samples
    assert all(len(payload) % 2 == 0 for payload in taken)


def test_row_57_a_header_of_another_rate_is_believed() -> None:
    sound = ReceivedSound(pcm(8000))
    tone = (8000 * np.sin(np.arange(48_000) * 0.05)).astype("<i2").tobytes()
    assert abs(len(sound.take(1, wav_header(1, 24_000, 16) + tone)) / 2 - 16_000) < 200
    assert sound.scale == pytest.approx(1 / 3)


@pytest.mark.parametrize("header", [wav_header(3, 24_000, 32), wav_header(1, 0, 16), wav_header(85, 24_000, 16)])
def test_row_57_a_header_of_an_unusable_format_is_refused(header: bytes) -> None:
    with pytest.raises(UnusableSoundError):
        ReceivedSound(pcm(8000)).take(1, header + b"\0" * 100)


def test_row_57_a_header_without_end_is_refused() -> None:
    endless = b"RIFF\xff\xff\xff\xffWAVELIST" + struct.pack("<I", 1 << 30)
    with pytest.raises(UnusableSoundError):
        ReceivedSound(pcm(8000)).take(1, endless + b"x" * 10_000)
