"""The order of messages, and what becomes of those who break it."""

from __future__ import annotations

from parley.stt.v1 import stt_pb2
from servicekit.audio import seconds_of
from toolbox.conformance.case import case
from toolbox.conformance.refusals import INVALID_ARGUMENT, TRIES, goes_away, is_last, refused, require_refusal
from toolbox.conformance.stt.peer import FINISH, SttPeer, audio, finalize, require_within
from toolbox.conformance.stt.sound import silence

_RPC = "SpeechToText.Recognize"
_ORDER = "MESSAGE_ORDER"


@case(_RPC, "Order, client to server: `config` exactly once and first")
async def config_first(peer: SttPeer) -> str | None:
    """Anything else first is refused."""
    for what, message in (
        ("`audio` first", audio(silence(await peer.fmt(), 0.02))),
        ("`finalize` first", finalize(1)),
        ("`finish` first", FINISH),
    ):
        await refused(peer, what, message, reason=_ORDER)
    return None


@case(_RPC, "INVALID_ARGUMENT for a message out of order")
async def config_twice(peer: SttPeer) -> str | None:
    """A second config is refused."""
    await refused(peer, "a second `config`", await peer.config(), await peer.config(), reason=_ORDER)
    return None


@case(_RPC, "then `finish` exactly once and last, after which the client half-closes")
async def audio_after_finish(peer: SttPeer) -> str | None:
    """Audio after `finish` is refused, unless the answer was given before it was read; it is never made part of it."""
    fmt = await peer.fmt()
    sound = silence(fmt, 0.5)
    for _ in range(TRIES):
        exchange = peer.open()
        await exchange.send(await peer.config(), audio(sound), FINISH, audio(sound))
        answers = await exchange.rest("INVALID_ARGUMENT for `audio` after `finish`")
        for answer in answers:
            if is_last(answer, "final"):
                require_within("the last final's audio_end", answer.final.audio_end, seconds_of(fmt, len(sound)))
                return "answered before the late audio was read"
        ending = await exchange.ending()
        if not ending.blurred:
            break
    require_refusal(ending, INVALID_ARGUMENT, _ORDER, "`audio` after `finish`")
    return None


@case("RecognizeRequest.message", "What this message is; the order is given at Recognize.")
async def empty_message(peer: SttPeer) -> str | None:
    """A message without content is refused."""
    await refused(peer, "a message with nothing in it", await peer.config(), stt_pb2.RecognizeRequest(), reason=_ORDER)
    return None


@case(_RPC, "A stream that ends without `finish` is a client that went away, and is treated as a cancellation.")
async def nothing_at_all(peer: SttPeer) -> str | None:
    """A client that says nothing and half-closes is gone."""
    await goes_away(peer, last="final")
    return None


@case(_RPC, "A stream that ends without `finish` is a client that went away, and is treated as a cancellation.")
async def no_finish(peer: SttPeer) -> str | None:
    """A client that half-closes in the middle is gone, and its slot is free."""
    await goes_away(peer, *await peer.opening(), last="final")
    return None


@case("Finalize.id", "Greater than every finalize id before it in this RPC; at least 1.")
async def finalize_ids_rise(peer: SttPeer) -> str | None:
    """An id that is 0, the same or lower is refused."""
    opening = await peer.opening()
    for what, ids in (("finalize 0", [0]), ("finalize 2 twice", [2, 2]), ("finalize 1 after 2", [2, 1])):
        await refused(peer, what, *opening, *(finalize(number) for number in ids), reason=_ORDER)
    return None


CASES = (
    config_first,
    config_twice,
    audio_after_finish,
    empty_message,
    nothing_at_all,
    no_finish,
    finalize_ids_rise,
)
