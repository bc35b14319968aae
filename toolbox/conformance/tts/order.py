"""The order of messages, and what becomes of those who break it."""

from __future__ import annotations

from parley.tts.v1 import tts_pb2
from toolbox.conformance.case import BrokenError, case
from toolbox.conformance.refusals import INVALID_ARGUMENT, TRIES, goes_away, is_last, refused, require_refusal
from toolbox.conformance.tts.peer import FINISH, FLUSH, TtsPeer, text

_RPC = "TextToSpeech.Synthesize"
_ORDER = "MESSAGE_ORDER"
_GONE = "A stream that ends without `finish` is a client that went away, and is treated as a cancellation."


@case(_RPC, "Order, client to server: `config` exactly once and first")
async def config_first(peer: TtsPeer) -> str | None:
    """Anything else first is refused."""
    for what, message in (("`text` first", text(1, "One.")), ("`flush` first", FLUSH), ("`finish` first", FINISH)):
        await refused(peer, what, message, reason=_ORDER)
    return None


@case(_RPC, "INVALID_ARGUMENT for a message out of order")
async def config_twice(peer: TtsPeer) -> str | None:
    """A second config is refused."""
    await refused(peer, "a second `config`", await peer.config(), await peer.config(), reason=_ORDER)
    return None


@case(_RPC, "then `finish` exactly once and last, after which the client half-closes.")
async def text_after_finish(peer: TtsPeer) -> str | None:
    """Text after `finish` is refused, unless the reply was complete before it was read; it is never spoken."""
    for _ in range(TRIES):
        exchange = peer.open()
        await exchange.send(*await peer.opening(), FINISH, text(2, "Two."))
        answers = await exchange.rest("INVALID_ARGUMENT for `text` after `finish`")
        if any(is_last(answer, "finished") for answer in answers):
            if any(answer.HasField("segment_done") and answer.segment_done.segment == 2 for answer in answers):
                raise BrokenError("the text after `finish` refused or unheard", "its sound")
            return "complete before the late text was read"
        ending = await exchange.ending()
        if not ending.blurred:
            break
    require_refusal(ending, INVALID_ARGUMENT, _ORDER, "`text` after `finish`")
    return None


@case("SynthesizeRequest.message", "What this message is; the order is given at Synthesize.")
async def empty_message(peer: TtsPeer) -> str | None:
    """A message without content is refused."""
    await refused(peer, "a message with nothing in it", await peer.config(), tts_pb2.SynthesizeRequest(), reason=_ORDER)
    return None


@case(_RPC, _GONE)
async def nothing_at_all(peer: TtsPeer) -> str | None:
    """A client that says nothing and half-closes is gone."""
    await goes_away(peer, last="finished")
    return None


@case(_RPC, _GONE)
async def no_finish(peer: TtsPeer) -> str | None:
    """A client that half-closes in the middle is gone, and its slot is free."""
    await goes_away(peer, *await peer.opening(), last="finished")
    return None


@case("Text.segment", "The segment it belongs to, from 1; never lower than the message before.")
async def segments_rise(peer: TtsPeer) -> str | None:
    """Segment 0, and a segment lower than the one before, are refused."""
    config = await peer.config()
    await refused(peer, "segment 0", config, text(0, "Zero."), reason=_ORDER)
    await refused(peer, "segment 1 after 2", config, text(2, "Two."), text(1, "One."), reason=_ORDER)
    return None


@case(_RPC, "A segment is complete, and is spoken, when a higher segment number, a `flush` or `finish` follows it.")
async def a_flushed_segment_is_closed(peer: TtsPeer) -> str | None:
    """More text for a segment that a flush has completed is refused."""
    await refused(peer, "text for a flushed segment", *await peer.opening(), FLUSH, text(1, "More."), reason=_ORDER)
    return None


CASES = (
    config_first,
    config_twice,
    text_after_finish,
    empty_message,
    nothing_at_all,
    no_finish,
    segments_rise,
    a_flushed_segment_is_closed,
)
