"""Several at once, and those who stop listening."""

from __future__ import annotations

import asyncio
import time

import psutil

from servicekit.audio import bytes_per_sample
from toolbox.conformance import slots
from toolbox.conformance.case import BrokenError, SkipError, case
from toolbox.conformance.tts.peer import FINISH, FLUSH, LONGEST_SEGMENT, TtsPeer, text

_RPC = "TextToSpeech.Synthesize"
_SENTENCE = "The lighthouse keeper counts every ship that passes. "
_PARAGRAPH = _SENTENCE * 20
_SAME_LENGTH = 0.25
_MOST_GROWTH_MB = 32.0


@case(_RPC, "Cancelling the RPC is the barge-in: the server is silent at once and frees the slot after the engine's")
async def cancel_frees_the_slot(peer: TtsPeer) -> str | None:
    """After a cancel in the middle of a segment GetInfo counts one less."""
    before = await peer.in_use_when_idle()
    exchange = peer.open()
    await exchange.send(await peer.config(), text(1, _PARAGRAPH), text(2, _PARAGRAPH), FLUSH)
    await peer.until(exchange, "audio", "sound of a long segment")
    in_use, _ = await peer.usage()
    if in_use <= before:
        raise BrokenError(f"GetInfo.in_use of {before + 1} in the middle of a segment", str(in_use))
    exchange.cancel()
    took_ms = await slots.freed(peer, before, time.monotonic(), "slot_free_ms")
    return f"slot free {took_ms:.0f} ms after the cancel"


@case(_RPC, "DEADLINE_EXCEEDED when the client sends nothing for too long (reason IDLE) or its own deadline passes.")
async def deadline_respected(peer: TtsPeer) -> str | None:
    """When the client's deadline passes the slot is free."""
    return await slots.deadline(peer)


@case("GetInfoResponse.capacity", "Replies it speaks at once; one more is refused with RESOURCE_EXHAUSTED.")
async def capacity_is_exact(peer: TtsPeer) -> str | None:
    """As many as GetInfo says, and not one more."""
    return await slots.capacity(peer)


@case("TextToSpeech", "Text to speech: one RPC per candidate reply.")
async def two_interleaved_replies(peer: TtsPeer) -> str | None:
    """Two replies at once, text by text in turn, are each as long as alone."""
    if (await peer.info()).capacity < 2:
        raise SkipError("it speaks one reply at once")
    fmt = await peer.fmt()
    replies = {"short": "One two three.", "long": _SENTENCE}
    alone = {name: (await peer.said(words)).samples() for name, words in replies.items()}
    exchanges = {name: peer.open() for name in replies}
    for exchange in exchanges.values():
        await exchange.send(await peer.config())
    for start in range(0, len(_SENTENCE), 5):
        for name, exchange in exchanges.items():
            if piece := replies[name][start : start + 5]:
                await exchange.send(text(1, piece))
    for exchange in exchanges.values():
        await exchange.send(FINISH)
        await exchange.half_close()
    for name, exchange in exchanges.items():
        samples = (await peer.served(exchange, fmt)).samples()
        if abs(samples - alone[name]) > _SAME_LENGTH * alone[name]:
            raise BrokenError(f"about {alone[name]} samples for the {name} reply, as it has alone", f"{samples}")
    return None


@case(
    _RPC, "A client that reads slowly is waited for: the server makes no more than some seconds of sound ahead of it."
)
async def slow_reader(peer: TtsPeer) -> str | None:
    """Minutes of speech are asked for, nothing is read: the reply is still being spoken, and memory does not grow."""
    fmt = max(await peer.sample_formats(), key=lambda one: one.sample_rate_hz * bytes_per_sample(one))
    memory_mb = _memory_of(peer)
    before = await peer.in_use_when_idle()
    exchange = peer.open(reading=False)
    # All of it fits into what the transport takes: a server need not read on while its client does not.
    words = (_SENTENCE * (LONGEST_SEGMENT // len(_SENTENCE)))[:LONGEST_SEGMENT]
    await exchange.send(await peer.config(fmt), text(1, words), FINISH)
    await exchange.half_close()
    await asyncio.sleep(peer.patience.stall_s)
    in_use, _ = await peer.usage()
    if in_use <= before:
        raise BrokenError(
            "the reply still being spoken while nobody reads it (GetInfo.in_use above what it was)",
            f"in_use {in_use}: minutes of sound are done and wait in memory",
        )
    grown_mb = _memory_of(peer) - memory_mb
    if grown_mb > _MOST_GROWTH_MB:
        raise BrokenError(f"memory that grows by no more than {_MOST_GROWTH_MB:g} MB", f"{grown_mb:.0f} MB more")
    exchange.read_on()
    await peer.until(exchange, "audio", "sound as soon as it is read")
    exchange.cancel()
    if peer.target.pid is None:
        return f"still being spoken after {peer.patience.stall_s:g} s unread; memory was not looked at: see --pid"
    peer.measures["slow_reader_growth_mb"] = round(grown_mb, 1)
    return f"still being spoken after {peer.patience.stall_s:g} s unread; {max(0.0, grown_mb):.0f} MB more memory"


def _memory_of(peer: TtsPeer) -> float:
    """Memory that the target itself has filled, in MB; 0 when its process is not known.

    Where the system tells them apart, pages of files are not counted: libraries and models come in as they are touched.
    """
    if peer.target.pid is None:
        return 0.0
    try:
        memory = psutil.Process(peer.target.pid).memory_info()
        return float(memory.rss - getattr(memory, "shared", 0)) / 1e6
    except psutil.Error as error:
        raise SkipError(f"process {peer.target.pid} cannot be looked at: {error}") from None


CASES = (cancel_frees_the_slot, deadline_respected, capacity_is_exact, two_interleaved_replies, slow_reader)
