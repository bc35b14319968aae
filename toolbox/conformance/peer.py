"""The server under examination, as one case sees it."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2

from toolbox.conformance.case import BrokenError
from toolbox.conformance.exchange import Exchange, Order
from toolbox.otlp import OtlpCollector

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)
R = TypeVar("R", bound=Message)

_STREAMS_PER_CHANNEL = 64
"""Many servers and proxies allow a connection a hundred streams."""
_POLL_S = 0.002
_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.enable_http_proxy", 0),
    # A connection of its own for each case: one that went wrong must not spoil the next.
    ("grpc.use_local_subchannel_pool", 1),
    # With the bandwidth probe a client that does not read lets megabytes pile up, whatever the server does.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 16_384),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)


@dataclass(frozen=True)
class Patience:
    """How long a server may take before it counts as silent. Seconds."""

    step_s: float = 15.0
    """For one message or status."""
    slot_s: float = 7.5
    """For a slot to be free again after its RPC was cancelled."""
    spans_s: float = 15.0
    """For spans to be exported."""
    stall_s: float = 2.0
    """How long the slow reader does not read."""


@dataclass(frozen=True)
class Target:
    """Which server, and what else is known of it."""

    address: str
    """host:port or any gRPC name."""
    tls: bool = False
    pid: int | None = None
    """Its process on this machine, whose memory may be watched."""
    drain: Callable[[], None] | None = None
    """Tells it to end, as an operator would; None to leave it alone."""
    collector: OtlpCollector | None = None
    """Where it exports its spans."""
    patience: Patience = Patience()
    disorder: list[str] = field(default_factory=list)
    """What came out of order in any case of the run."""

    def channel(self) -> grpc.aio.Channel:
        """A new connection to it."""
        if self.tls:
            return grpc.aio.secure_channel(self.address, grpc.ssl_channel_credentials(), options=_OPTIONS)
        return grpc.aio.insecure_channel(self.address, options=_OPTIONS)


class Peer(ABC, Generic[Q, A]):
    """Connections to the target for the length of one case; all are closed and all RPCs cancelled at its end."""

    service: str
    """Full name, such as ``parley.stt.v1.SpeechToText``."""
    method: str
    """Its streaming RPC."""
    response: type[A]

    def __init__(self, target: Target) -> None:
        self.target = target
        self.patience = target.patience
        self.warnings: list[str] = []
        self.measures: dict[str, float] = {}
        self._channels: list[grpc.aio.Channel] = [target.channel()]
        self._exchanges: list[Exchange[Q, A]] = []

    @abstractmethod
    def order(self) -> Order:
        """The order of one RPC's messages."""

    @abstractmethod
    async def usage(self) -> tuple[int, int]:
        """GetInfo's in_use and capacity."""

    @abstractmethod
    async def opening(self) -> list[Q]:
        """Messages of an RPC that is then accepted and at work, `finish` not among them."""

    @abstractmethod
    def finish(self) -> Q:
        """The last message."""

    @abstractmethod
    def too_large(self, n_bytes: int) -> Q:
        """A message of at least so many bytes, to follow the opening."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.gather(*(exchange.close() for exchange in self._exchanges))
        await asyncio.gather(*(channel.close() for channel in self._channels))

    def open(
        self, *, timeout_s: float | None = None, metadata: Sequence[tuple[str, str]] = (), reading: bool = True
    ) -> Exchange[Q, A]:
        """Begin an RPC, with a deadline and metadata of its own where given."""
        if len(self._exchanges) >= _STREAMS_PER_CHANNEL * len(self._channels):
            self._channels.append(self.target.channel())
        open_rpc = self._channels[-1].stream_stream(
            f"/{self.service}/{self.method}", request_serializer=_bytes, response_deserializer=self.response.FromString
        )
        exchange: Exchange[Q, A] = Exchange(
            open_rpc(timeout=timeout_s, metadata=tuple(metadata)),
            order=self.order(),
            on_disorder=self.target.disorder.append,
            patience_s=self.patience.step_s,
            reading=reading,
        )
        self._exchanges.append(exchange)
        return exchange

    async def begun(self, **how: Any) -> Exchange[Q, A]:
        """An RPC whose opening was sent and whose `ready` has come. Raises BrokenError."""
        exchange = self.open(**how)
        await exchange.send(*await self.opening())
        await self.ready(exchange)
        return exchange

    async def ready(self, exchange: Exchange[Q, A]) -> A:
        """The `ready` of an exchange. Raises BrokenError when something else comes."""
        answer = await exchange.next("`ready`")
        if answer is None:
            raise BrokenError("`ready`, since the config is one that GetInfo allows", str(await exchange.ending()))
        if answer.WhichOneof("message") != "ready":
            raise BrokenError("`ready` as the first message", f"`{answer.WhichOneof('message')}`")
        return answer

    async def ask(self, method: str, request: Message, response: type[R]) -> R:
        """A unary RPC of the service. Raises BrokenError when it fails."""
        try:
            return await self.unary(f"/{self.service}/{method}", request, response)
        except grpc.aio.AioRpcError as error:
            raise BrokenError(f"an answer to {method}", f"{error.code().name} (“{error.details()}”)") from None

    async def unary(self, path: str, request: Message, response: type[R]) -> R:
        """Any unary RPC of the server. Raises AioRpcError."""
        call = self._channels[0].unary_unary(path, request_serializer=_bytes, response_deserializer=response.FromString)
        answer: R = await call(request, timeout=self.patience.step_s)
        return answer

    async def serving(self, service: str = "") -> str:
        """What grpc.health.v1 says of a service, such as "SERVING". Raises AioRpcError."""
        answer = await self.unary(
            "/grpc.health.v1.Health/Check",
            health_pb2.HealthCheckRequest(service=service),
            health_pb2.HealthCheckResponse,
        )
        name: str = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
        return name

    async def in_use_when_idle(self) -> int:
        """Slots in use before the case takes one: 0 once what earlier cases left is gone, or what stays taken."""
        return await self.in_use_at_most(0)

    async def in_use_at_most(self, wanted: int) -> int:
        """Wait until no more than so many slots are in use; how many still are when patience ends."""
        deadline = time.monotonic() + self.patience.slot_s
        while (in_use := (await self.usage())[0]) > wanted and time.monotonic() < deadline:  # noqa: ASYNC110 - another's
            await asyncio.sleep(_POLL_S)
        return in_use


def _bytes(message: Message) -> bytes:
    return message.SerializeToString()
