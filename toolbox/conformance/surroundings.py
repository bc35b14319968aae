"""What stands beside the RPC: health, drain, trace context. True of both contracts."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Any

import grpc
import grpc.aio

from toolbox.conformance.case import BrokenError, SkipError
from toolbox.conformance.peer import Peer
from toolbox.otlp import spans_of

_POLL_S = 0.02


async def health(peer: Peer[Any, Any]) -> str | None:
    """The server as a whole is SERVING, and so is the service where it is known by name."""
    try:
        overall = await peer.serving()
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNIMPLEMENTED:
            raise BrokenError("an answer of grpc.health.v1.Health", "UNIMPLEMENTED: the server has no health") from None
        raise BrokenError("SERVING", f"{error.code().name} (“{error.details()}”)") from None
    if overall != "SERVING":
        raise BrokenError("SERVING for the server as a whole, which takes RPCs", overall)
    return None


async def drain(peer: Peer[Any, Any]) -> str | None:
    """Told to end, the server finishes what was begun and takes nothing new. The last case: the target is gone then."""
    if peer.target.drain is None:
        raise SkipError("nobody but its operator can drain a server: give --pid and --drain to have this checked")
    exchange = await peer.begun()
    peer.target.drain()
    refusal = await _refused_from_now_on(peer)
    try:
        if (state := await peer.serving()) == "SERVING":
            raise BrokenError("another health than SERVING while draining", state)
    except grpc.aio.AioRpcError:
        pass  # it answers nobody new, which says the same
    await exchange.send(peer.finish())
    await exchange.half_close()
    await exchange.rest("the answer to what was begun before the drain")
    ending = await exchange.ending()
    if ending.code is not grpc.StatusCode.OK:
        raise BrokenError("OK for what was begun before the drain", str(ending))
    return f"new RPCs got {refusal}"


async def _refused_from_now_on(peer: Peer[Any, Any]) -> str:
    """Begin RPCs until they are refused as the contract says; how. Raises BrokenError."""
    expected = "UNAVAILABLE with reason DRAINING for what is begun while draining"
    deadline = time.monotonic() + peer.patience.step_s
    while time.monotonic() < deadline:
        late = peer.open()
        await late.send(*await peer.opening())
        if await late.next(expected) is None:
            ending = await late.ending()
            # Without a reason it was the connection that was refused, which is as clear.
            if ending.code is grpc.StatusCode.UNAVAILABLE and ending.reason in ("", "DRAINING"):
                return f"UNAVAILABLE {ending.reason}".strip()
            # Not draining yet: a server of one slot is full.
            if ending.code is not grpc.StatusCode.RESOURCE_EXHAUSTED and not ending.blurred:
                raise BrokenError(expected, str(ending))
        late.cancel()
        await asyncio.sleep(_POLL_S)
    raise BrokenError(expected, f"they are still served {peer.patience.step_s:g} s after it was told to end")


async def trace_context(peer: Peer[Any, Any]) -> str | None:
    """Trace context and baggage do no harm; and the server's span has our trace, where its spans can be seen."""
    trace_id, span_id = secrets.token_hex(16), secrets.token_hex(8)
    metadata = (
        ("traceparent", f"00-{trace_id}-{span_id}-01"),
        ("tracestate", "conformance=1"),
        ("baggage", "voice.call.id=conformance,other=entry"),
    )
    exchange = await peer.begun(metadata=metadata)
    await exchange.send(peer.finish())
    await exchange.half_close()
    await exchange.rest()
    ending = await exchange.ending()
    if ending.code is not grpc.StatusCode.OK:
        raise BrokenError("OK for an RPC with trace context in its metadata", str(ending))
    if peer.target.collector is None:
        return "metadata does no harm; that spans follow it was not checked: see --otlp"
    deadline = time.monotonic() + peer.patience.spans_s
    while time.monotonic() < deadline:
        ours = [span for span in spans_of(peer.target.collector.spans) if span.trace_id == trace_id]
        if any(span.parent_id == span_id for span in ours):
            return f"{len(ours)} span(s) below ours"
        await asyncio.sleep(_POLL_S)
    seen = len(spans_of(peer.target.collector.spans))
    raise BrokenError(
        f"a span whose parent is ours, within {peer.patience.spans_s:g} s, at {peer.target.collector.endpoint}",
        f"none ({seen} span(s) of other traces)",
    )
