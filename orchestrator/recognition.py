"""One utterance through speech to text: one RPC, replayed to another server when its own dies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import grpc
import grpc.aio
from opentelemetry.context import Context
from opentelemetry.util.types import AttributeValue

from orchestrator.rpc_status import true_status
from orchestrator.utterance import PIECE_MS, AudioEntry, FinalizeEntry, UtteranceLog
from parley.audio.v1 import audio_pb2
from parley.stt.v1 import stt_pb2, stt_pb2_grpc
from servicekit.errors import reason_of
from servicekit.interceptors import ClientRpc, client_rpc
from servicekit.logs import get_logger
from servicekit.telemetry import Telemetry

log = get_logger(__name__)

_Call = grpc.aio.StreamStreamCall[stt_pb2.RecognizeRequest, stt_pb2.RecognizeResponse]

METHOD = "parley.stt.v1.SpeechToText/Recognize"
_WORTH_ANOTHER_TRY = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED})


class RecognitionError(Exception):
    """The utterance could not be recognised; the message tells an operator why."""


@dataclass(frozen=True, slots=True)
class RecognitionOptions:
    """What every utterance of a call is recognised with."""

    fmt: audio_pb2.AudioFormat
    languages: tuple[str, ...]
    hotwords: tuple[str, ...] = ()
    patience_s: float = 8.0
    """How long to look for a server that serves the utterance, from the first that failed it."""
    retry_pause_s: float = 0.2
    max_utterance_ms: float = 120_000.0


@dataclass(slots=True)
class Recognition:
    """Feeds an utterance's log to a recogniser and hands on what comes back, until its end or cancellation."""

    stub: stt_pb2_grpc.SpeechToTextAsyncStub
    options: RecognitionOptions
    telemetry: Telemetry
    parent: Context
    on_response: Callable[[stt_pb2.RecognizeResponse], None]
    prompt: str = ""
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    """Of the RPC's span."""
    clock: Callable[[], float] = time.monotonic
    log: UtteranceLog = field(init=False)
    _answered_since_failure: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        fmt = self.options.fmt
        width = 1 if fmt.encoding in {audio_pb2.ENCODING_MULAW, audio_pb2.ENCODING_ALAW} else 2
        bytes_per_ms = fmt.sample_rate_hz * width / 1000
        self.log = UtteranceLog(int(bytes_per_ms * self.options.max_utterance_ms), int(bytes_per_ms * PIECE_MS))

    async def run(self) -> None:
        """Recognise until the log is finished and answered. Cancelling it cancels the RPC at once.

        Raises:
            RecognitionError: no server could be found in time, or one refused for a reason that will not change.
        """
        give_up_at: float | None = None
        while (code := await self._attempt()) is not None:
            now = self.clock()
            # The audio is kept, so time is all that a restarted or another server needs; a run of failures that is
            # interrupted by a healthy stretch begins anew.
            if give_up_at is None or self._answered_since_failure:
                give_up_at = now + self.options.patience_s
            self._answered_since_failure = False
            if code not in _WORTH_ANOTHER_TRY or now >= give_up_at:
                raise RecognitionError(f"speech to text ended with {code.name}")
            log.warning("recognition interrupted, replaying the utterance", code=code.name)
            await asyncio.sleep(self.options.retry_pause_s)

    async def _attempt(self) -> grpc.StatusCode | None:
        """One RPC; None when the utterance was answered to its end, else the status that cut it short."""
        with client_rpc(self.telemetry, METHOD, self.parent, self.attributes) as rpc:
            call = self.stub.Recognize(metadata=rpc.metadata)
            writer = asyncio.create_task(self._write(call))
            try:
                return await self._read(call, rpc)
            finally:
                writer.cancel()
                if not call.done():
                    call.cancel()
                await asyncio.gather(writer, return_exceptions=True)

    async def _read(self, call: _Call, rpc: ClientRpc) -> grpc.StatusCode | None:
        answered = False
        try:
            while isinstance(response := await call.read(), stt_pb2.RecognizeResponse):
                answered = response.WhichOneof("message") == "final" and response.final.finalize_id == 0
                self._answered_since_failure = True
                self.on_response(response)
            code = await call.code()
        except grpc.aio.AioRpcError as error:
            code = true_status(error)
            rpc.ended(code, reason_of(error))
            return code
        rpc.ended(code)
        if code is grpc.StatusCode.OK:
            # A server that ends well without having been asked to has lost the utterance all the same.
            return None if answered or self.log.finished else grpc.StatusCode.UNAVAILABLE
        return code

    async def _write(self, call: _Call) -> None:
        config = stt_pb2.RecognizeConfig(
            format=self.options.fmt,
            languages=self.options.languages,
            detect_language=len(self.options.languages) > 1,
            prompt=self.prompt,
            hotwords=self.options.hotwords,
            profile=stt_pb2.PROFILE_LIVE,
            partials=True,
        )
        try:
            await call.write(stt_pb2.RecognizeRequest(config=config))
            position = 0
            while True:
                entry, position = await self.log.take(position)
                if isinstance(entry, AudioEntry):
                    await call.write(stt_pb2.RecognizeRequest(audio=stt_pb2.AudioChunk(payload=entry.payload)))
                elif isinstance(entry, FinalizeEntry):
                    await call.write(stt_pb2.RecognizeRequest(finalize=stt_pb2.Finalize(id=entry.finalize_id)))
                else:
                    await call.write(stt_pb2.RecognizeRequest(finish=stt_pb2.Finish()))
                    await call.done_writing()
                    return
        except (asyncio.InvalidStateError, grpc.aio.AioRpcError):
            # The RPC is over; its status tells the reader why.
            return
