"""A speech-to-text server that understands whatever the test says it does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio

from parley.stt.v1 import stt_pb2, stt_pb2_grpc
from servicekit.errors import Reason, abort
from servicekit.protocol import RecognizeOrder


@dataclass(slots=True)
class HeardUtterance:
    """One RPC as the server saw it."""

    config: stt_pb2.RecognizeConfig | None = None
    audio: bytearray = field(default_factory=bytearray)
    finalizes: list[int] = field(default_factory=list)
    finished: bool = False
    cancelled: bool = False


class FakeStt(stt_pb2_grpc.SpeechToTextServicer):
    """Answers the n-th utterance with the n-th text, the last one again for all that follow.

    ``partial_after_bytes`` sends the text as a partial once so much sound has come. ``silent`` never answers.
    ``languages`` are those of the utterances, in the same way. ``failures`` is how many RPCs fail with UNAVAILABLE
    after their first sound.
    """

    def __init__(self, texts: Sequence[str], *, partial_after_bytes: int = 0, silent: bool = False) -> None:
        self.texts = list(texts)
        self.languages = ["en"]
        self.partial_after_bytes = partial_after_bytes
        self.silent = silent
        self.failures = 0
        self.utterances: list[HeardUtterance] = []
        self.live = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self._answered = 0

    async def Recognize(  # type: ignore[override]  # noqa: N802 - it reads and writes through its context
        self, _: Any, context: grpc.aio.ServicerContext[Any, Any]
    ) -> None:
        """See the contract."""
        heard = HeardUtterance()
        self.utterances.append(heard)
        self.live += 1
        self.idle.clear()
        try:
            await self._recognize(heard, context)
        finally:
            heard.cancelled = not heard.finished
            self.live -= 1
            if not self.live:
                self.idle.set()

    async def GetInfo(  # noqa: N802 - the contract's name
        self, request: stt_pb2.GetInfoRequest, context: Any
    ) -> stt_pb2.GetInfoResponse:
        """Say that it is a fake."""
        return stt_pb2.GetInfoResponse(engine="fake")

    async def _recognize(self, heard: HeardUtterance, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        order = RecognizeOrder()
        fails = self.failures > 0
        self.failures -= fails
        text, language = "", "en"
        if not fails:
            text = self.texts[min(self._answered, len(self.texts) - 1)]
            language = self.languages[min(self._answered, len(self.languages) - 1)]
            self._answered += 1
        partial_sent = False
        while (request := await context.read()) is not grpc.aio.EOF:
            kind = order.client(request)
            if kind == "config":
                heard.config = request.config
                await context.write(stt_pb2.RecognizeResponse(ready=stt_pb2.Ready(engine="fake", partials=True)))
            elif kind == "audio":
                heard.audio += request.audio.payload
                if fails:
                    await abort(context, grpc.StatusCode.UNAVAILABLE, Reason.ENGINE_FAILED, "the engine died")
                if self.partial_after_bytes and not partial_sent and len(heard.audio) >= self.partial_after_bytes:
                    partial_sent = True
                    partial = stt_pb2.Partial(stable_text=text)
                    await context.write(stt_pb2.RecognizeResponse(partial=partial))
            elif kind == "finalize":
                heard.finalizes.append(request.finalize.id)
                if not self.silent:
                    final = stt_pb2.Final(
                        finalize_id=request.finalize.id, text=text, language=language, language_confidence=0.9
                    )
                    await context.write(stt_pb2.RecognizeResponse(final=final))
            else:
                heard.finished = True
                await context.write(stt_pb2.RecognizeResponse(final=stt_pb2.Final(text=text, language="en")))
                return
        await context.abort(grpc.StatusCode.CANCELLED, "the client went away")
