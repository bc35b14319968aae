"""How an RPC's end is written on its span."""

from __future__ import annotations

import traceback
from typing import Final

import grpc
from opentelemetry.trace import Span, Status, StatusCode

from servicekit import semconv

# What a server must answer for, by the gRPC conventions; the others are the client's doing.
_SERVER_ERRORS: Final = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
_STACKTRACE_CHARACTERS = 4_000


def write_server_status(span: Span, code: grpc.StatusCode, reason: str = "") -> None:
    """Set the status of a server span."""
    _write(span, code, reason, is_error=code in _SERVER_ERRORS)


def write_client_status(span: Span, code: grpc.StatusCode, reason: str = "", *, deliberate: bool = False) -> None:
    """Set the status of a client span.

    A cancellation by the caller's own hand (``deliberate``) reads CANCELLED and is no error: a barge-in is an outcome.
    """
    is_error = code is not grpc.StatusCode.OK and not (deliberate and code is grpc.StatusCode.CANCELLED)
    _write(span, code, reason, is_error=is_error)


def write_exception(span: Span, error: BaseException) -> None:
    """Record where an exception came from; not its message, which may hold speech or numbers."""
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    frames = "".join(traceback.format_tb(error.__traceback__))[-_STACKTRACE_CHARACTERS:]
    span.add_event(semconv.EVENT_EXCEPTION, {semconv.EXCEPTION_TYPE: kind, semconv.EXCEPTION_STACKTRACE: frames + kind})
    span.set_attribute(semconv.ERROR_TYPE, kind)


def _write(span: Span, code: grpc.StatusCode, reason: str, *, is_error: bool) -> None:
    if not span.is_recording():
        return
    span.set_attribute(semconv.RPC_RESPONSE_STATUS_CODE, code.name)
    if reason:
        span.set_attribute(semconv.RPC_ERROR_REASON, reason)
    if is_error:
        attributes = getattr(span, "attributes", None) or {}
        if semconv.ERROR_TYPE not in attributes:
            span.set_attribute(semconv.ERROR_TYPE, reason or code.name)
        span.set_status(Status(StatusCode.ERROR))
