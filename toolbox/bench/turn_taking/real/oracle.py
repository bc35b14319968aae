"""A speech-to-text server that knows the truth, with a delay: the recogniser of a perfect world, for `--oracle-stt`.

It is asked over the real contract, by the orchestrator, and finds out what was said by the sound alone: the bytes it is
sent are those that one of the bench's own lines sent a moment ago, and no two lines have the same noise. So it knows
the call and the place in it, and answers with the words that had been said by the end of the sound it was given,
punctuated as the corpus says. Sound that it does not find is not understood: the text is empty.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health

from parley.stt.v1 import stt_pb2, stt_pb2_grpc
from servicekit.audio import MULAW_8K, same_format
from servicekit.errors import Reason, abort
from servicekit.protocol import OrderError, RecognizeOrder
from toolbox.bench.turn_taking.real.line import CallerLine

_PARTIAL_EVERY_MS = 300.0
_RATE_KHZ = 8.0
# A tenth of a second of a noisy line is its own; the sound of an utterance is asked about soon after it was sent.
_FINGERPRINT = 800
_SENT_WITHIN_MS = 3500.0


@dataclass
class _Utterance:
    """One RPC: where its sound lies on which line, and how much came."""

    sound: bytearray = field(default_factory=bytearray)
    line: CallerLine | None = None
    from_ms: float = 0.0
    partial_at_ms: float = _PARTIAL_EVERY_MS

    @property
    def length_ms(self) -> float:
        return len(self.sound) / _RATE_KHZ


class OracleSpeechToText(stt_pb2_grpc.SpeechToTextServicer):
    """Serves any number of calls; ``lines`` are those in progress, ``delay_ms`` is what each answer takes."""

    def __init__(self, delay_ms: float) -> None:
        self.lines: list[CallerLine] = []
        self.delay_ms = delay_ms
        self.not_found = 0
        """Utterances whose sound no line had sent."""

    async def Recognize(  # noqa: N802 - the contract's name
        self,
        request_iterator: AsyncIterator[stt_pb2.RecognizeRequest],
        context: grpc.aio.ServicerContext[stt_pb2.RecognizeRequest, stt_pb2.RecognizeResponse],
    ) -> AsyncIterator[stt_pb2.RecognizeResponse]:
        """Serve one utterance."""
        answers: asyncio.Queue[tuple[float, stt_pb2.RecognizeResponse] | None] = asyncio.Queue()
        reader = asyncio.create_task(self._read(request_iterator, context, answers))
        loop = asyncio.get_running_loop()
        try:
            while (answer := await answers.get()) is not None:
                due, response = answer
                await asyncio.sleep(max(0.0, due - loop.time()))
                yield response
            await reader
        finally:
            reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reader

    async def GetInfo(  # noqa: N802 - the contract's name
        self, request: stt_pb2.GetInfoRequest, context: object
    ) -> stt_pb2.GetInfoResponse:
        """Say what it is."""
        return stt_pb2.GetInfoResponse(
            contract="parley.stt.v1",
            engine="oracle",
            engine_version="1",
            model="the bench's own truth",
            formats=[MULAW_8K],
            capacity=1000,
            partials=True,
            punctuation=True,
            limitations=["Understands only the callers of the bench that runs it."],
        )

    async def _read(
        self,
        requests: AsyncIterator[stt_pb2.RecognizeRequest],
        context: grpc.aio.ServicerContext[stt_pb2.RecognizeRequest, stt_pb2.RecognizeResponse],
        answers: asyncio.Queue[tuple[float, stt_pb2.RecognizeResponse] | None],
    ) -> None:
        order, utterance = RecognizeOrder(), _Utterance()
        loop = asyncio.get_running_loop()

        def answer(response: stt_pb2.RecognizeResponse, delay_ms: float) -> None:
            answers.put_nowait((loop.time() + delay_ms / 1000.0, response))

        try:
            async for request in requests:
                try:
                    kind = order.client(request)
                except OrderError as error:
                    await abort(context, grpc.StatusCode.INVALID_ARGUMENT, error.reason, str(error))
                if kind == "config":
                    if not same_format(request.config.format, MULAW_8K):
                        reason = Reason.FORMAT_UNSUPPORTED
                        await abort(context, grpc.StatusCode.INVALID_ARGUMENT, reason, "See GetInfo.formats.")
                    answer(stt_pb2.RecognizeResponse(ready=stt_pb2.Ready(engine="oracle", partials=True)), 0.0)
                elif kind == "audio":
                    utterance.sound += request.audio.payload
                    if utterance.length_ms >= utterance.partial_at_ms:
                        utterance.partial_at_ms = utterance.length_ms + _PARTIAL_EVERY_MS
                        answer(self._partial(utterance), self.delay_ms)
                elif kind == "finalize":
                    answer(self._final(utterance, request.finalize.id), self.delay_ms)
                else:
                    answer(self._final(utterance, 0), self.delay_ms)
                    return
        finally:
            answers.put_nowait(None)

    def _text(self, utterance: _Utterance) -> str:
        if utterance.line is None and len(utterance.sound) >= _FINGERPRINT:
            self._find(utterance)
        if utterance.line is None:
            return ""
        return utterance.line.words.text(utterance.from_ms, utterance.from_ms + utterance.length_ms)

    def _find(self, utterance: _Utterance) -> None:
        print_ = bytes(utterance.sound[:_FINGERPRINT])
        for line in self.lines:
            place = line.find(print_, within_ms=_SENT_WITHIN_MS + utterance.length_ms)
            if place is not None:
                utterance.line, utterance.from_ms = line, place
                return
        self.not_found += 1

    def _partial(self, utterance: _Utterance) -> stt_pb2.RecognizeResponse:
        response = stt_pb2.RecognizeResponse(partial=stt_pb2.Partial(stable_text=self._text(utterance)))
        response.partial.audio_end.FromMicroseconds(round(utterance.length_ms * 1000))
        return response

    def _final(self, utterance: _Utterance, finalize_id: int) -> stt_pb2.RecognizeResponse:
        text = self._text(utterance)
        response = stt_pb2.RecognizeResponse(
            final=stt_pb2.Final(finalize_id=finalize_id, text=text, language="en", confidence=1.0)
        )
        response.final.audio_end.FromMicroseconds(round(utterance.length_ms * 1000))
        return response


@contextlib.asynccontextmanager
async def serving_oracle(delay_ms: float) -> AsyncIterator[tuple[OracleSpeechToText, str]]:
    """Serve the oracle on a port of the system's choice; yields it and its address."""
    oracle = OracleSpeechToText(delay_ms)
    server = grpc.aio.server(
        options=[("grpc.so_reuseport", 0), ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000)]
    )
    stt_pb2_grpc.add_SpeechToTextServicer_to_server(oracle, server)
    healthy = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    await healthy.set("", health_pb2.HealthCheckResponse.SERVING)
    await healthy.set("parley.stt.v1.SpeechToText", health_pb2.HealthCheckResponse.SERVING)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield oracle, f"127.0.0.1:{port}"
    finally:
        await server.stop(1.0)
