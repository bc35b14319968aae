"""How busy are the speech services? A reply begun in vain costs slots that a caller may be waiting for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import grpc.aio

from parley.stt.v1 import stt_pb2, stt_pb2_grpc
from parley.tts.v1 import tts_pb2, tts_pb2_grpc
from servicekit.logs import get_logger

log = get_logger(__name__)

EVERY_S = 2.0
_ANSWER_WITHIN_S = 2.0
# Finer changes than this change no decision, and each is told to every call.
_STEP = 0.05


class SpeechLoad:
    """Asks both services now and then, once for all calls of a process; ``run`` does the asking."""

    def __init__(
        self, stt: stt_pb2_grpc.SpeechToTextAsyncStub, tts: tts_pb2_grpc.TextToSpeechAsyncStub, every_s: float = EVERY_S
    ) -> None:
        self._stt = stt
        self._tts = tts
        self._every_s = every_s
        self._changed = asyncio.Event()
        self.share = 0.0
        """The largest share of slots in use at either, 0 to 1; of whichever server answered where there are many."""

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            self._take(max(await asyncio.gather(self._of_stt(), self._of_tts())))
            await asyncio.sleep(self._every_s)

    async def shares(self) -> AsyncIterator[float]:
        """Each change of the share, until the reader gives up."""
        told = 0.0
        while True:
            if abs(self.share - told) >= _STEP:
                told = self.share
                yield told
            changed = self._changed
            if abs(self.share - told) < _STEP:
                await changed.wait()

    def _take(self, share: float) -> None:
        if share != self.share:
            self.share = share
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()

    async def _of_stt(self) -> float:
        try:
            info = await self._stt.GetInfo(stt_pb2.GetInfoRequest(), timeout=_ANSWER_WITHIN_S)
        except grpc.aio.AioRpcError as error:
            return _unknown("stt", error)
        return info.in_use / info.capacity if info.capacity else 0.0

    async def _of_tts(self) -> float:
        try:
            info = await self._tts.GetInfo(tts_pb2.GetInfoRequest(), timeout=_ANSWER_WITHIN_S)
        except grpc.aio.AioRpcError as error:
            return _unknown("tts", error)
        return info.in_use / info.capacity if info.capacity else 0.0


def _unknown(service: str, error: grpc.aio.AioRpcError) -> float:
    # A service that does not answer is busy with its start or gone; the calls notice either by themselves.
    log.debug("load not known", service=service, code=error.code().name)
    return 0.0
