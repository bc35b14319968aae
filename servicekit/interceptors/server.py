"""Server spans, and what becomes of an exception that no servicer expected."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import nullcontext
from typing import Any, Final, NoReturn, TypeVar, cast

import grpc
import grpc.aio
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind

from servicekit import semconv
from servicekit.errors import Reason, abort, reason_in
from servicekit.interceptors.outcome import write_exception, write_server_status
from servicekit.logs import bind_call, get_logger
from servicekit.telemetry import Telemetry, from_metadata, served_by

_log = get_logger(__name__)

R = TypeVar("R")
ServicerContext = grpc.aio.ServicerContext[Any, Any]

_EXTRACT_ONLY: Final = frozenset({"parley.conversation.v1.Conversation/Converse"})
"""RPCs as long as a call: a span would be exported at its end only, and hang over every turn's trace."""
_UNTOUCHED: Final = "/grpc."
"""gRPC's own services: health and reflection."""
_CANCELLATION_ARRIVES_S: Final = 0.02


def server_interceptors(telemetry: Telemetry) -> list[grpc.aio.ServerInterceptor]:
    """What every server of Parley is created with.

    A span for each RPC, below the caller's, active inside the servicer, ended with its true status; for Converse only
    the caller's context. An exception becomes INTERNAL without its text, which goes to the log. Servicers that
    ``yield`` are closed at once when their RPC ends, not when the garbage collector finds them.
    """
    return [_Boundary(telemetry)]


class _Boundary(grpc.aio.ServerInterceptor):
    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._wrapped: dict[str, tuple[grpc.RpcMethodHandler[Any, Any], grpc.RpcMethodHandler[Any, Any]]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Wrap the method's handler, once per method."""
        handler = await continuation(handler_call_details)
        method: str = handler_call_details.method
        if handler is None or method.startswith(_UNTOUCHED):
            return handler
        known = self._wrapped.get(method)
        if known is None or known[0] is not handler:
            known = self._wrapped[method] = (handler, self._wrap(handler, method.removeprefix("/")))
        return known[1]

    def _wrap(self, handler: grpc.RpcMethodHandler[Any, Any], method: str) -> grpc.RpcMethodHandler[Any, Any]:
        servicer = handler.stream_stream or handler.unary_stream or handler.stream_unary or handler.unary_unary  # type: Any
        streams_in, streams_out = bool(handler.request_streaming), bool(handler.response_streaming)
        if inspect.isasyncgenfunction(servicer):
            servicer = _writing(servicer)
        elif not inspect.iscoroutinefunction(servicer):
            return handler  # a blocking servicer, which gRPC runs in a thread of its own

        async def serve(request: Any, context: ServicerContext) -> Any:
            return await self._observed(method, context, streams_in, lambda: servicer(request, context))

        make = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }[streams_in, streams_out]
        return make(serve, handler.request_deserializer, handler.response_serializer)

    async def _observed(
        self, method: str, context: ServicerContext, streams_in: bool, servicer: Callable[[], Awaitable[R]]
    ) -> R:
        parent = from_metadata(context.invocation_metadata())
        span: Span = INVALID_SPAN
        if method in _EXTRACT_ONLY:
            inside = parent
        else:
            span = self._telemetry.tracer.start_span(
                method,
                context=parent,
                kind=SpanKind.SERVER,
                attributes={semconv.RPC_SYSTEM_NAME: semconv.RPC_SYSTEM_GRPC, semconv.RPC_METHOD: method},
            )
            inside = trace.set_span_in_context(span, parent)
        token = otel_context.attach(inside)
        ended_ns: int | None = None
        served = served_by(parent)
        try:
            with bind_call(served[semconv.VOICE_CALL_ID]) if semconv.VOICE_CALL_ID in served else nullcontext():
                response = await servicer()
            ended_ns = time.time_ns()
            if streams_in:
                await _hear_of_cancellation()
            write_server_status(span, _code(context))
        except (Exception, asyncio.CancelledError) as error:
            await self._ended_by(error, method, context, span)
        else:
            return response
        finally:
            otel_context.detach(token)
            # With telemetry off this is the caller's own non-recording span, whose end is no one's business.
            span.end(ended_ns)

    async def _ended_by(self, error: BaseException, method: str, context: ServicerContext, span: Span) -> NoReturn:
        """Write the status that ``error`` stands for, and let gRPC send it."""
        error = _alone(error)
        if isinstance(error, grpc.aio.AbortError):
            write_server_status(span, _code(context), reason_in(context.trailing_metadata()))
            raise error
        if isinstance(error, asyncio.CancelledError):
            write_server_status(span, _code_of_cancellation(context))
            raise error
        if isinstance(error, grpc.aio.InternalError):
            # A read or write on an RPC whose peer has gone, met before gRPC could cancel the servicer.
            write_server_status(span, _code_of_cancellation(context))
            raise asyncio.CancelledError from error
        write_exception(span, error)
        write_server_status(span, grpc.StatusCode.INTERNAL, Reason.INTERNAL)
        _log.error("RPC failed unexpectedly", method=method, exc_info=error)
        await abort(context, grpc.StatusCode.INTERNAL, Reason.INTERNAL, "internal error; the server's log tells more")


def _writing(servicer: Callable[..., AsyncIterator[Any]]) -> Callable[..., Awaitable[None]]:
    """A servicer that yields, as one that writes.

    gRPC drops a generator that is cancelled at its ``yield``: its ``finally`` would wait for the garbage collector, and
    with it the slot it holds.
    """

    async def serve(request: Any, context: ServicerContext) -> None:
        responses = servicer(request, context)
        try:
            async for response in responses:
                await context.write(response)
        finally:
            await responses.aclose()  # type: ignore[attr-defined]

    return serve


async def _hear_of_cancellation() -> None:
    """Let a cancellation that is on its way arrive, which raises CancelledError here.

    To a servicer, a client that cancels looks like one that has finished: its requests end, and nothing that gRPC
    offers tells the two apart. The cancellation itself comes from the transport's thread moments later, too late for a
    servicer that returns at once. The wait delays the final status only: every message has been sent.
    """
    await asyncio.sleep(_CANCELLATION_ARRIVES_S)


def _alone(error: BaseException) -> BaseException:
    """The one exception that counts in a TaskGroup's: an abort before all, then whatever came first."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    aborts, others = error.split(grpc.aio.AbortError)
    one: BaseException | None = aborts or others
    while isinstance(one, BaseExceptionGroup):
        one = one.exceptions[0]
    return one or error


def _code(context: ServicerContext) -> grpc.StatusCode:
    """The status set on the context; OK when none was."""
    code = context.code()
    return code if isinstance(code, grpc.StatusCode) else grpc.StatusCode.OK


def _code_of_cancellation(context: ServicerContext) -> grpc.StatusCode:
    """DEADLINE_EXCEEDED if the client's patience ended, CANCELLED if the client did."""
    remaining = cast("float | None", context.time_remaining())
    if remaining is not None and remaining <= 0:
        return grpc.StatusCode.DEADLINE_EXCEEDED
    return grpc.StatusCode.CANCELLED
