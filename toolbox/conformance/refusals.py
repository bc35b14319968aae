"""Refusals: the exact status, and an ErrorInfo that says why. True of both contracts."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.message import Message

from servicekit.errors import DOMAIN
from toolbox.conformance.case import BrokenError
from toolbox.conformance.exchange import Ending
from toolbox.conformance.peer import Peer

INVALID_ARGUMENT = grpc.StatusCode.INVALID_ARGUMENT
RESOURCE_EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
UNKNOWN_FIELD = b"\xc2\x3e\x03new"
"""Field 1000, three bytes: from a version of the contract that nobody has written yet."""
MIB = 1 << 20
TRIES = 20


def require_refusal(ending: Ending, code: grpc.StatusCode, reason: str, what: str) -> None:
    """Raise BrokenError unless an RPC ended with this code and an ErrorInfo of this reason."""
    if ending.code is not code or ending.reason != reason:
        raise BrokenError(f"{code.name} with reason {reason} for {what}", str(ending))
    if ending.domain != DOMAIN:
        raise BrokenError(f"an ErrorInfo of domain {DOMAIN!r} for {what}", f"domain {ending.domain!r}")


async def refused(
    peer: Peer[Any, Any], what: str, *messages: Any, code: grpc.StatusCode = INVALID_ARGUMENT, reason: str
) -> None:
    """Send messages of which the last is the wrong one; it must be refused so. Raises BrokenError."""
    require_refusal(await refusal(peer, f"{code.name} for {what}", *messages), code, reason, what)


async def refusal(peer: Peer[Any, Any], expected: str, *messages: Any) -> Ending:
    """How an RPC ends after messages of which the last is the wrong one; messages before that are let pass.

    Raises BrokenError when it does not end.
    """
    for _ in range(TRIES):
        exchange = peer.open()
        await exchange.send(*messages)
        try:
            await exchange.rest(expected)
            ending = await exchange.ending()
        except BrokenError as error:
            # A server that takes what it should refuse says nothing, and that is the finding.
            raise BrokenError(error.expected, "nothing: it was taken") from None
        if not ending.blurred:
            break
    return ending


async def message_too_large(peer: Peer[Any, Any]) -> str | None:
    """Five mebibytes in one message are refused, and the server lives on."""
    expected = "RESOURCE_EXHAUSTED for a message of 5 MiB"
    ending = await refusal(peer, expected, *await peer.opening(), peer.too_large(5 * MIB))
    if ending.code is not RESOURCE_EXHAUSTED:
        raise BrokenError(expected, str(ending))
    # gRPC itself refuses before a servicer could explain: a reason is not asked for.
    await peer.usage()
    return None


async def goes_away(peer: Peer[Any, Any], *messages: Any, last: str) -> None:
    """Send messages and half-close without `finish`: no ``last`` message, no OK, and the slot is free again."""
    before = await peer.in_use_when_idle()
    exchange = peer.open()
    await exchange.send(*messages)
    await exchange.half_close()
    answers = await exchange.rest()
    if any(is_last(answer, last) for answer in answers):
        raise BrokenError("no answer for a client that went away", f"`{last}`, as if it had sent `finish`")
    ending = await exchange.ending()
    if ending.code is grpc.StatusCode.OK:
        raise BrokenError("the stream ended as a cancelled one, such as CANCELLED", "OK, as if it had been served")
    still = await peer.in_use_at_most(before)
    if still > before:
        raise BrokenError(f"GetInfo.in_use back at {before} within {peer.patience.slot_s:g} s", f"{still}")


def is_last(answer: Message, last: str) -> bool:
    """Whether a response is the one that ends an RPC; finals that answer a finalize are not."""
    kind = answer.WhichOneof("message")
    return kind == last and not getattr(getattr(answer, last), "finalize_id", 0)
