"""A fake of gRPC itself: a stub that runs a servicer in the same loop, so that no socket is waited for in fake time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import grpc
import grpc.aio
from grpc.aio import Metadata

_MESSAGES_UNDER_WAY = 4
"""How many messages a peer that does not read may be sent."""


class _AbortedError(Exception):
    """The servicer ended its RPC."""


class _FakeContext:
    """The servicer's end."""

    def __init__(self, call: FakeStreamCall) -> None:
        self._call = call

    async def read(self) -> Any:
        return await self._call.requests.get()

    async def write(self, message: Any) -> None:
        await self._call.responses.put(message)

    async def abort(
        self, code: grpc.StatusCode, details: str = "", trailing_metadata: tuple[tuple[str, Any], ...] = ()
    ) -> NoReturn:
        self._call.status = (code, details, trailing_metadata)
        raise _AbortedError


class FakeStreamCall:
    """The client's end of one RPC. Cancelling it cancels the servicer."""

    def __init__(self, method: Callable[[Any, Any], Awaitable[None]]) -> None:
        self.requests: asyncio.Queue[Any] = asyncio.Queue(_MESSAGES_UNDER_WAY)
        self.responses: asyncio.Queue[Any] = asyncio.Queue(_MESSAGES_UNDER_WAY)
        self.status: tuple[grpc.StatusCode, str, tuple[tuple[str, Any], ...]] = (grpc.StatusCode.OK, "", ())
        self._serving = asyncio.get_running_loop().create_task(self._serve(method))

    async def _serve(self, method: Callable[[Any, Any], Awaitable[None]]) -> None:
        with contextlib.suppress(_AbortedError):
            await method(None, _FakeContext(self))
        await self.responses.put(grpc.aio.EOF)

    async def read(self) -> Any:
        """The next response; EOF at a good end."""
        if self._serving.cancelled():
            raise asyncio.CancelledError
        response = await self.responses.get()
        if response is grpc.aio.EOF and self.status[0] is not grpc.StatusCode.OK:
            code, details, trailing = self.status
            raise grpc.aio.AioRpcError(code, Metadata(), Metadata(*trailing), details)
        return response

    async def write(self, request: Any) -> None:
        """Send a request; as with gRPC, not behind the end."""
        put = asyncio.ensure_future(self.requests.put(request))
        try:
            await asyncio.wait({put, self._serving}, return_when=asyncio.FIRST_COMPLETED)
            if not put.done():
                raise asyncio.InvalidStateError("the RPC is over")
        finally:
            put.cancel()

    async def done_writing(self) -> None:
        """Send no more."""
        await self.write(grpc.aio.EOF)

    async def code(self) -> grpc.StatusCode:
        """The status."""
        return self.status[0]

    def done(self) -> bool:
        """Whether it is over."""
        return self._serving.done()

    def cancel(self) -> bool:
        """Give it up."""
        return self._serving.cancel()


class FakeStub:
    """Stands in for a generated stub: each method of the servicer is one of streams both ways."""

    def __init__(self, servicer: object) -> None:
        self._servicer = servicer

    def __getattr__(self, name: str) -> Callable[..., FakeStreamCall]:
        method = getattr(self._servicer, name)
        return lambda metadata=(): FakeStreamCall(method)
