"""Slots: taken, given back, counted, and refused when there are none. True of both contracts."""

from __future__ import annotations

import time
from typing import Any

import grpc

from toolbox.conformance.case import BrokenError, SkipError
from toolbox.conformance.exchange import Exchange
from toolbox.conformance.peer import Peer
from toolbox.conformance.refusals import RESOURCE_EXHAUSTED, refusal, require_refusal

_MOST_STREAMS = 1000
_DEADLINE_S, _DEADLINE_OF_BUSY_S = 0.5, 1.5


async def counted(peer: Peer[Any, Any], **how: Any) -> tuple[int, Exchange[Any, Any]]:
    """Begin an RPC and see that GetInfo counts it; the count before, and the RPC. Raises BrokenError."""
    before = await peer.in_use_when_idle()
    exchange = await peer.begun(**how)
    in_use, _ = await peer.usage()
    if in_use <= before:
        raise BrokenError(f"GetInfo.in_use of {before + 1} while an RPC holds a slot", str(in_use))
    return before, exchange


async def freed(peer: Peer[Any, Any], before: int, since: float, measure: str) -> float:
    """Wait until a slot is free again; ms since then, also noted as a measure. Raises BrokenError."""
    still = await peer.in_use_at_most(before)
    took_ms = (time.monotonic() - since) * 1000
    if still > before:
        raise BrokenError(f"GetInfo.in_use back at {before} within {peer.patience.slot_s:g} s", f"{still} in use")
    peer.measures[measure] = round(took_ms, 1)
    return took_ms


async def deadline(peer: Peer[Any, Any]) -> str | None:
    """A deadline of the client ends the RPC with DEADLINE_EXCEEDED and frees the slot."""
    deadline_s, began = _DEADLINE_S, time.monotonic()
    try:
        before, exchange = await counted(peer, timeout_s=deadline_s)
    except BrokenError:
        if time.monotonic() - began < deadline_s:
            raise
        # Nothing promises that a busy server is ready so soon.
        deadline_s = _DEADLINE_OF_BUSY_S
        before, exchange = await counted(peer, timeout_s=deadline_s)
    ending = await exchange.ending()
    ended = time.monotonic()
    if ending.code is not grpc.StatusCode.DEADLINE_EXCEEDED:
        raise BrokenError(f"DEADLINE_EXCEEDED after the client's deadline of {deadline_s:g} s", str(ending))
    took_ms = await freed(peer, before, ended, "slot_free_after_deadline_ms")
    return f"slot free {took_ms:.0f} ms after the deadline"


async def capacity(peer: Peer[Any, Any]) -> str | None:
    """As many as GetInfo says, one more is refused, and there is room again afterwards."""
    _, slots = await peer.usage()
    taken = await peer.in_use_when_idle()
    if slots > _MOST_STREAMS:
        raise SkipError(
            f"GetInfo says that it serves {slots} at once, and this kit opens no more than {_MOST_STREAMS}: "
            "give it a lower capacity to have this checked"
        )
    held = [await peer.begun() for _ in range(slots - taken)]
    expected = f"RESOURCE_EXHAUSTED with reason CAPACITY for one more than GetInfo.capacity ({slots})"
    ending = await refusal(peer, expected, (await peer.opening())[0])
    require_refusal(ending, RESOURCE_EXHAUSTED, "CAPACITY", f"one more than {slots}")
    for exchange in held:
        await exchange.send(peer.finish())
        await exchange.half_close()
    for exchange in held:
        await exchange.rest()
    still = await peer.in_use_at_most(taken)
    if still > taken:
        raise BrokenError(f"GetInfo.in_use back at {taken} when all had finished", str(still))
    await peer.begun()
    return f"{slots} at once"
