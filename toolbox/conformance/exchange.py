"""One streaming RPC, driven step by step, with a limit on every step."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, cast

import grpc
import grpc.aio

from servicekit.errors import error_info
from servicekit.protocol import OrderError
from toolbox.conformance.case import BrokenError

Q = TypeVar("Q")
A = TypeVar("A")


@dataclass(frozen=True)
class Ending:
    """How an RPC ended."""

    code: grpc.StatusCode
    reason: str
    domain: str
    details: str

    @property
    def blurred(self) -> bool:
        """Whether it is the client library's own: of a write that met a server which had just ended the RPC."""
        return self.code is grpc.StatusCode.INTERNAL and self.details.startswith("Internal error from Core")

    def __str__(self) -> str:
        because = f" with reason {self.reason}" if self.reason else ""
        words = f" (“{self.details}”)" if self.details and self.code is not grpc.StatusCode.OK else ""
        return f"{self.code.name}{because}{words}"


class Order(Protocol):
    """The order of an RPC's messages, as `servicekit.protocol` knows it."""

    def client(self, message: Any) -> str:
        """Look at a request. Raises OrderError."""
        ...

    def server(self, message: Any) -> str:
        """Look at a response. Raises OrderError."""
        ...


class Exchange(Generic[Q, A]):
    """Writes requests, reads responses and knows how it ended.

    One task reads for as long as the RPC lives, since a read that is given up ends the RPC. A response out of order is
    told to ``on_disorder`` and does not end the exchange; requests out of order are sent as they are.
    """

    def __init__(
        self,
        call: grpc.aio.StreamStreamCall[Any, Any],
        *,
        order: Order,
        on_disorder: Callable[[str], None],
        patience_s: float,
        reading: bool = True,
    ) -> None:
        self._call = call
        self._order = order
        self._on_disorder = on_disorder
        self._patience_s = patience_s
        self._answers: asyncio.Queue[A | None] = asyncio.Queue()
        self._reading = asyncio.Event()
        if reading:
            self._reading.set()
        self._reader = asyncio.create_task(self._read(), name="conformance-reader")

    async def send(self, *messages: Q) -> bool:
        """Write messages; False once the RPC has ended, whatever is left being unsent.

        Raises BrokenError when the server does not take them.
        """
        for message in messages:
            with contextlib.suppress(OrderError):
                self._order.client(message)
            try:
                async with asyncio.timeout(self._patience_s):
                    await self._call.write(message)
            except TimeoutError:
                raise BrokenError("the server to read what is sent", f"no room for {self._patience_s:g} s") from None
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError, grpc.aio.UsageError):
                return False  # refused or gone: the ending says which
            except asyncio.CancelledError:
                if self._call.cancelled() and not _cancelling():
                    return False
                raise
        return True

    async def half_close(self) -> None:
        """Say that no more will be written; without effect once the RPC has ended."""
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError, grpc.aio.UsageError):
            await self._call.done_writing()

    def read_on(self) -> None:
        """Begin to read, when opened without."""
        self._reading.set()

    async def next(self, what: str = "a message", within_s: float | None = None) -> A | None:
        """The next response, None at the end. Raises BrokenError when neither comes in time."""
        limit_s = self._patience_s if within_s is None else within_s
        try:
            async with asyncio.timeout(limit_s):
                answer = await self._answers.get()
        except TimeoutError:
            raise BrokenError(f"{what} within {limit_s:g} s", "nothing") from None
        if answer is None:
            self._answers.put_nowait(None)  # the end stays the end
        return answer

    async def rest(self, what: str = "the end of the stream") -> list[A]:
        """All responses up to the end. Raises BrokenError when the server falls silent before it."""
        found: list[A] = []
        while (answer := await self.next(what)) is not None:
            found.append(answer)
        return found

    async def ending(self) -> Ending:
        """How it ended; waits for that. Raises BrokenError when it does not end."""
        self._reading.set()
        try:
            async with asyncio.timeout(self._patience_s):
                code = await self._call.code()
                details = await self._call.details()
                info = error_info(cast("Any", await self._call.trailing_metadata()))
        except TimeoutError:
            raise BrokenError(f"the RPC to end within {self._patience_s:g} s", "no end") from None
        return Ending(code, info.reason if info else "", info.domain if info else "", details or "")

    async def ends_within(self, seconds: float) -> bool:
        """Whether the RPC ends in so short a time."""
        await asyncio.wait([self._reader], timeout=seconds)
        return self._reader.done()

    def cancel(self) -> None:
        """Cancel the RPC."""
        self._call.cancel()

    async def close(self) -> None:
        """Cancel what still runs and end the reader."""
        self._call.cancel()
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def _read(self) -> None:
        try:
            await self._reading.wait()
            while (answer := await self._call.read()) is not grpc.aio.EOF:
                try:
                    self._order.server(answer)
                except OrderError as error:
                    self._on_disorder(str(error))
                self._answers.put_nowait(cast("A", answer))
        except grpc.aio.AioRpcError:
            pass  # the ending tells it
        finally:
            self._answers.put_nowait(None)


def _cancelling() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
