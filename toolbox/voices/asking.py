"""Asking a speech service for its voices, and having it say something, as any client of the contract would."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import grpc
import grpc.aio

from parley.audio.v1 import audio_pb2
from parley.tts.v1 import tts_pb2, tts_pb2_grpc
from servicekit.audio import pcm, same_format
from servicekit.errors import reason_of
from toolbox.voices.listing import ListedVoice, listed

_ANSWER_S = 15.0
_PREFERRED = tuple(pcm(rate_hz) for rate_hz in (24_000, 48_000, 16_000, 8_000))
_OPTIONS = (("grpc.enable_http_proxy", 0),)


class AskingError(Exception):
    """The service is not there, refused, or failed; the message says so for people."""


@dataclass(frozen=True)
class SpokenSample:
    """What was said: 16-bit mono samples as bytes, with how it went."""

    pcm: bytes
    rate_hz: int
    voice: str
    engine: str
    first_audio_ms: float

    @property
    def seconds(self) -> float:
        """How long it sounds."""
        return len(self.pcm) / 2 / self.rate_hz


async def list_voices(target: str, language: str = "", *, tls: bool = False) -> tuple[str, list[ListedVoice]]:
    """The service's engine and its voices, best first, those that speak a language where one is named.

    Raises AskingError.
    """
    try:
        async with _channel(target, tls=tls) as channel:
            stub = tts_pb2_grpc.TextToSpeechStub(channel)
            info = await stub.GetInfo(tts_pb2.GetInfoRequest(), timeout=_ANSWER_S)
            request = tts_pb2.ListVoicesRequest(language=language)
            answer = await stub.ListVoices(request, timeout=_ANSWER_S)
    except grpc.aio.AioRpcError as error:
        raise _failure(target, error) from error
    return info.engine, [listed(voice, info) for voice in answer.voices]


async def say(
    target: str, text: str, *, voice: str = "", language: str = "", speed: float = 1.0, tls: bool = False
) -> SpokenSample:
    """Have a text said. Raises AskingError."""
    try:
        async with _channel(target, tls=tls) as channel:
            stub = tts_pb2_grpc.TextToSpeechStub(channel)
            info = await stub.GetInfo(tts_pb2.GetInfoRequest(), timeout=_ANSWER_S)
            fmt = _format(info)
            asked_at = time.monotonic()
            first_audio_at: float | None = None
            ready, payload = tts_pb2.Ready(), bytearray()
            config = tts_pb2.SynthesizeConfig(voice=voice, language=language, speed=speed, format=fmt)
            accepted = asyncio.Event()
            try:
                async for message in stub.Synthesize(_requests(config, text, accepted)):
                    if message.HasField("ready"):
                        ready = message.ready
                        accepted.set()
                    elif message.HasField("audio"):
                        if first_audio_at is None:
                            first_audio_at = time.monotonic()
                        payload += message.audio.payload
            finally:
                accepted.set()  # grpc.aio leaves a writer that waits behind
    except grpc.aio.AioRpcError as error:
        raise _failure(target, error) from error
    if first_audio_at is None:
        raise AskingError("nothing in that text can be pronounced")
    return SpokenSample(
        bytes(payload), fmt.sample_rate_hz, ready.voice, ready.engine, 1000 * (first_audio_at - asked_at)
    )


async def _requests(
    config: tts_pb2.SynthesizeConfig, text: str, accepted: asyncio.Event
) -> AsyncIterator[tts_pb2.SynthesizeRequest]:
    yield tts_pb2.SynthesizeRequest(config=config)
    # A write that meets a refusal makes grpc.aio forget what the refusal said.
    await accepted.wait()
    yield tts_pb2.SynthesizeRequest(text=tts_pb2.Text(segment=1, text=text))
    yield tts_pb2.SynthesizeRequest(finish=tts_pb2.Finish())


def _channel(target: str, *, tls: bool) -> grpc.aio.Channel:
    if tls:
        return grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(), options=_OPTIONS)
    return grpc.aio.insecure_channel(target, options=_OPTIONS)


def _format(info: tts_pb2.GetInfoResponse) -> audio_pb2.AudioFormat:
    for wanted in _PREFERRED:
        if any(same_format(wanted, offered) for offered in info.formats):
            return wanted
    raise AskingError(f"{info.engine} offers no PCM, which is what a WAV file needs")


def _failure(target: str, error: grpc.aio.AioRpcError) -> AskingError:
    said = error.details() or error.code().name
    if error.code() is grpc.StatusCode.UNAVAILABLE and not reason_of(error):
        return AskingError(f"{target} cannot be reached ({said}); is a speech service running there?")
    return AskingError(f"{target}: {said}")
