"""The instant engines keep their contracts: any client of the real services can talk to them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable

import grpc
import numpy as np
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam

from parley.stt.v1 import stt_pb2, stt_pb2_grpc
from parley.tts.v1 import tts_pb2, tts_pb2_grpc
from servicekit.audio import MULAW_8K, decode_mulaw, level_dbfs, pcm, to_float
from servicekit.channels import open_channel
from servicekit.protocol import RecognizeOrder, SynthesizeOrder
from tests.asyncs import async_test
from toolbox.serve import ServiceGroup, ServiceSpec

pytestmark = pytest.mark.process


@contextlib.asynccontextmanager
async def running(kind: str, *settings: str, arguments: tuple[str, ...] = ()) -> AsyncIterator[str]:
    """One instant engine as a process; yields its address."""
    listen = () if kind == "brain" else (f"{kind}.listen=127.0.0.1:0",)
    spec = ServiceSpec(kind, "toolbox.instant", (kind, *arguments), (*listen, *settings))
    async with ServiceGroup([spec], restart=None) as group:
        yield group.address(kind)


def utterance(*requests: stt_pb2.RecognizeRequest) -> list[stt_pb2.RecognizeRequest]:
    config = stt_pb2.RecognizeConfig(format=MULAW_8K, languages=["en"], partials=True)
    return [stt_pb2.RecognizeRequest(config=config), *requests, stt_pb2.RecognizeRequest(finish=stt_pb2.Finish())]


def audio(seconds: float) -> stt_pb2.RecognizeRequest:
    return stt_pb2.RecognizeRequest(audio=stt_pb2.AudioChunk(payload=b"\x11\x91" * int(4000 * seconds)))


async def recognised(
    channel: grpc.aio.Channel, requests: Iterable[stt_pb2.RecognizeRequest]
) -> list[stt_pb2.RecognizeResponse]:
    order = RecognizeOrder()
    call = stt_pb2_grpc.SpeechToTextStub(channel).Recognize()
    for request in requests:
        order.client(request)
        await call.write(request)
    await call.done_writing()
    order.client_closed()
    responses = [response async for response in call]
    for response in responses:
        order.server(response)
    return responses


@async_test
async def test_the_recogniser_tells_its_transcript_word_by_word_and_then_whole() -> None:
    settings = ("stt.transcripts=what time is it", "stt.partial_every_ms=300")
    async with running("stt", *settings) as address, open_channel(address) as channel:
        finalize = stt_pb2.RecognizeRequest(finalize=stt_pb2.Finalize(id=1))
        responses = await recognised(channel, utterance(audio(0.3), audio(0.3), finalize))
    assert [response.partial.stable_text for response in responses if response.HasField("partial")] == [
        "what",
        "what time",
    ]
    finals = [response.final for response in responses if response.HasField("final")]
    assert [(final.finalize_id, final.text) for final in finals] == [(1, "what time is it"), (0, "what time is it")]


@async_test
async def test_transcripts_come_in_turn() -> None:
    async with running("stt", 'stt.transcripts=["hello", "goodbye"]') as address, open_channel(address) as channel:
        said = [(await recognised(channel, utterance(audio(0.1))))[-1].final.text for _ in range(3)]
    assert said == ["hello", "goodbye", "hello"]


@async_test
async def test_the_voice_speaks_at_once_in_the_format_asked_for_and_aligns_its_words() -> None:
    text = "It is noon."
    async with running("tts", "tts.ms_per_character=50") as address, open_channel(address) as channel:
        for fmt in (MULAW_8K, pcm(24000)):
            order = SynthesizeOrder()
            call = tts_pb2_grpc.TextToSpeechStub(channel).Synthesize()
            for request in (
                tts_pb2.SynthesizeRequest(config=tts_pb2.SynthesizeConfig(format=fmt, alignments=True)),
                tts_pb2.SynthesizeRequest(text=tts_pb2.Text(segment=1, text=text)),
                tts_pb2.SynthesizeRequest(finish=tts_pb2.Finish()),
            ):
                order.client(request)
                await call.write(request)
            await call.done_writing()
            responses = [response async for response in call]
            for response in responses:
                order.server(response)
            sound = b"".join(response.audio.payload for response in responses if response.HasField("audio"))
            samples = decode_mulaw(sound) if fmt is MULAW_8K else np.frombuffer(sound, "<i2")
            assert len(samples) == len(text) * fmt.sample_rate_hz * 50 // 1000
            # Sound from the first frame on: an engine's own silence must not count as Parley's.
            assert level_dbfs(to_float(samples[: fmt.sample_rate_hz // 50].astype(np.int16))) > -45
            (alignment,) = [response.alignment for response in responses if response.HasField("alignment")]
            assert [text[one.text_start : one.text_end] for one in alignment.ranges] == ["It", "is", "noon."]
            assert alignment.ranges[-1].end_sample == len(samples)
            assert responses[-1].finished.duration.ToMilliseconds() == len(text) * 50


@async_test
async def test_the_voice_refuses_a_format_it_does_not_have() -> None:
    async with running("tts") as address, open_channel(address) as channel:
        call = tts_pb2_grpc.TextToSpeechStub(channel).Synthesize()
        await call.write(tts_pb2.SynthesizeRequest(config=tts_pb2.SynthesizeConfig(format=pcm(44100))))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            async for _ in call:
                pass
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@async_test
async def test_the_brain_answers_the_client_that_the_orchestrator_uses() -> None:
    question: list[ChatCompletionMessageParam] = [{"role": "user", "content": "what time is it"}]
    async with (
        running("brain", arguments=("--reply", "It is noon.", "--token-ms", "1")) as address,
        AsyncOpenAI(base_url=f"http://{address}/v1", api_key="none", max_retries=0) as client,
    ):
        stream = await client.chat.completions.create(model="instant", messages=question, stream=True)
        chunks = [chunk async for chunk in stream]
        whole = await client.chat.completions.create(model="instant", messages=question)
    assert [chunk.choices[0].delta.content for chunk in chunks if chunk.choices[0].delta.content] == [
        "It",
        " is",
        " noon.",
    ]
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert whole.choices[0].message.content == "It is noon."
