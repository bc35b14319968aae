"""Refusals and failures between services: a status code with ``google.rpc.ErrorInfo`` (AIP-193)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NoReturn

import grpc
import grpc.aio
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

DOMAIN: Final = "parley"
"""Domain of every ErrorInfo that Parley sends."""

_DETAILS_KEY = "grpc-status-details-bin"
_TOO_LARGE_DETAILS = "larger than max"  # gRPC core's own words; it refuses before any servicer could explain


class Reason:
    """The reasons that the contracts name."""

    MESSAGE_ORDER: Final = "MESSAGE_ORDER"
    MESSAGE_TOO_LARGE: Final = "MESSAGE_TOO_LARGE"
    FORMAT_UNSUPPORTED: Final = "FORMAT_UNSUPPORTED"
    LANGUAGE_UNSUPPORTED: Final = "LANGUAGE_UNSUPPORTED"
    VOICE_UNKNOWN: Final = "VOICE_UNKNOWN"
    AUDIO_TOO_LONG: Final = "AUDIO_TOO_LONG"
    TEXT_TOO_LONG: Final = "TEXT_TOO_LONG"
    CAPACITY: Final = "CAPACITY"
    DRAINING: Final = "DRAINING"
    ENGINE_FAILED: Final = "ENGINE_FAILED"
    IDLE: Final = "IDLE"
    BRAIN_FAILED: Final = "BRAIN_FAILED"
    CALL_ID_MISSING: Final = "CALL_ID_MISSING"
    CALL_LIVE: Final = "CALL_LIVE"
    CHECKPOINT_UNREADABLE: Final = "CHECKPOINT_UNREADABLE"
    INTERNAL: Final = "INTERNAL"


async def abort(
    context: grpc.aio.ServicerContext[Any, Any], code: grpc.StatusCode, reason: str, message: str, **metadata: str
) -> NoReturn:
    """End the RPC with ``code``, ``message`` and an ErrorInfo of ``reason`` and ``metadata``; never returns.

    The message and metadata reach the peer: they name settings, limits and counts, never what was said or by whom.
    It raises gRPC's own ``AbortError``, which a servicer must let pass: an ``except Exception`` around it is a bug.
    """
    info = error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata)
    packed = any_pb2.Any()
    packed.Pack(info)
    status = status_pb2.Status(code=code.value[0], message=message, details=[packed])
    await context.abort(code, message, trailing_metadata=((_DETAILS_KEY, status.SerializeToString()),))
    raise AssertionError("abort returned")  # pragma: no cover - the annotation of grpc promises so too


def error_info(metadata: Iterable[tuple[str, str | bytes]] | None) -> error_details_pb2.ErrorInfo | None:
    """The ErrorInfo in an RPC's trailing metadata, whoever its domain is; None when absent or unreadable."""
    for key, value in metadata or ():
        if key != _DETAILS_KEY or not isinstance(value, bytes):
            continue
        try:
            status = status_pb2.Status.FromString(value)
            for detail in status.details:
                info = error_details_pb2.ErrorInfo()
                if detail.Unpack(info):
                    return info
        except DecodeError:
            return None
    return None


def reason_in(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    """``ErrorInfo.reason`` in trailing metadata, or an empty string."""
    info = error_info(metadata)
    return info.reason if info is not None else ""


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """``ErrorInfo.reason`` of a failed RPC, or an empty string.

    A message over the size limit is refused by gRPC itself, without details; it reads MESSAGE_TOO_LARGE here.
    """
    reason = reason_in(error.trailing_metadata())
    if reason:
        return reason
    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and _TOO_LARGE_DETAILS in (error.details() or ""):
        return Reason.MESSAGE_TOO_LARGE
    return ""
