"""The client's span of one RPC."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import grpc
import grpc.aio
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind
from opentelemetry.util.types import AttributeValue

from servicekit import semconv
from servicekit.errors import reason_of
from servicekit.interceptors.outcome import write_client_status, write_exception
from servicekit.telemetry import Telemetry, to_metadata


class ClientRpc:
    """A client span around one RPC, whoever reads and writes it; it ends with the block, whatever happens in it.

    ::

        with client_rpc(telemetry, "parley.stt.v1.SpeechToText/Recognize", parent) as rpc:
            call = stub.Recognize(metadata=rpc.metadata)
            ...
            rpc.ended(await call.code())

    Left by ``AioRpcError`` it has that status; left by cancellation it reads CANCELLED; left without `ended` it reads
    UNKNOWN and is an error. It never reads OK unless told so.
    """

    span: Span
    context: Context
    """The parent context with this span in it, for what happens within the RPC."""
    metadata: tuple[tuple[str, str], ...]
    """What the RPC must be started with, so that the server's span becomes this one's child."""

    def __init__(
        self,
        telemetry: Telemetry,
        method: str,
        parent: Context | None = None,
        attributes: Mapping[str, AttributeValue] | None = None,
    ) -> None:
        """Prepare the span of ``method`` (``package.Service/Method``) below ``parent``, or the current context."""
        self._telemetry = telemetry
        self._method = method.removeprefix("/")
        self._parent = parent
        self._attributes = dict(attributes or {})
        self._written = False

    def __enter__(self) -> Self:
        """Start the span. It is not made current: streams outlive the block they were opened in."""
        self.span = self._telemetry.tracer.start_span(
            self._method,
            context=self._parent,
            kind=SpanKind.CLIENT,
            attributes={
                semconv.RPC_SYSTEM_NAME: semconv.RPC_SYSTEM_GRPC,
                semconv.RPC_METHOD: self._method,
                **self._attributes,
            },
            record_exception=False,
            set_status_on_exception=False,
        )
        self.context = trace.set_span_in_context(self.span, self._parent)
        self.metadata = to_metadata(self.context)
        return self

    def ended(self, code: grpc.StatusCode, reason: str = "") -> None:
        """Say how the RPC ended; ``CANCELLED`` said here is our own doing. The first word counts."""
        if not self._written:
            self._written = True
            write_client_status(self.span, code, reason, deliberate=True)

    def failed(self, error: grpc.aio.AioRpcError) -> None:
        """Say that the RPC ended with this error of its peer or of the channel."""
        if not self._written:
            self._written = True
            write_client_status(self.span, error.code(), reason_of(error))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace_: TracebackType | None
    ) -> None:
        """End the span."""
        if isinstance(error, grpc.aio.AioRpcError):
            self.failed(error)
        elif isinstance(error, asyncio.CancelledError | GeneratorExit):
            self.ended(grpc.StatusCode.CANCELLED)
        elif not self._written:
            self._written = True
            if error is not None:
                write_exception(self.span, error)
            write_client_status(self.span, grpc.StatusCode.UNKNOWN)
        self.span.end()


def client_rpc(
    telemetry: Telemetry,
    method: str,
    parent: Context | None = None,
    attributes: Mapping[str, AttributeValue] | None = None,
) -> ClientRpc:
    """The client span of one RPC, as a context manager; see `ClientRpc`."""
    return ClientRpc(telemetry, method, parent, attributes)
