"""Several at once, and those who stop listening."""

from __future__ import annotations

import asyncio
import time
from itertools import zip_longest

from servicekit.audio import seconds_of
from toolbox.conformance import slots
from toolbox.conformance.case import BrokenError, SkipError, case
from toolbox.conformance.stt.peer import FINISH, SttPeer, audio, in_pieces, require_within, seconds
from toolbox.conformance.stt.sound import length, silence, speech

_RPC = "SpeechToText.Recognize"
_SLOW_READERS_AUDIO_S = 20.0


@case(
    _RPC, "Cancelling the RPC throws the utterance away; the server stops at the engine's next step and frees the slot."
)
async def cancel_frees_the_slot(peer: SttPeer) -> str | None:
    """After a cancel in the middle of an utterance GetInfo counts one less."""
    fmt = await peer.fmt()
    before, exchange = await slots.counted(peer)
    await exchange.send(audio(speech(fmt) + speech(fmt)))
    exchange.cancel()
    took_ms = await slots.freed(peer, before, time.monotonic(), "slot_free_ms")
    return f"slot free {took_ms:.0f} ms after the cancel"


@case(_RPC, "DEADLINE_EXCEEDED when the client sends nothing for too long (reason IDLE) or its own deadline passes.")
async def deadline_respected(peer: SttPeer) -> str | None:
    """When the client's deadline passes the slot is free."""
    return await slots.deadline(peer)


@case("GetInfoResponse.capacity", "Utterances it serves at once; one more is refused with RESOURCE_EXHAUSTED.")
async def capacity_is_exact(peer: SttPeer) -> str | None:
    """As many as GetInfo says, and not one more."""
    return await slots.capacity(peer)


@case("SpeechToText", "Speech to text: one RPC per utterance.")
async def two_interleaved_utterances(peer: SttPeer) -> str | None:
    """Two callers at once, piece by piece, do not hear each other: the silent one stays silent."""
    if (await peer.info()).capacity < 2:
        raise SkipError("it serves one utterance at once")
    fmt = await peer.fmt()
    talking, silent = await peer.begun(), await peer.begun()
    sound = speech(fmt)
    pieces = in_pieces(sound, length(fmt, 0.1))
    for piece, quiet in zip_longest(pieces, in_pieces(silence(fmt, 0.5), length(fmt, 0.1))):
        for exchange, message in ((talking, piece), (silent, quiet)):
            if message is not None:
                await exchange.send(message)
    for exchange in (talking, silent):
        await exchange.send(FINISH)
        await exchange.half_close()
    heard, nothing = (await peer.served(talking)).last, (await peer.served(silent)).last
    if nothing.text:
        raise BrokenError("an empty text for the silent one of two utterances", "a text")
    # Each began with half a second of silence.
    require_within("the silent one's audio_end", nothing.audio_end, 1.0)
    require_within("the talking one's audio_end", heard.audio_end, 0.5 + seconds_of(fmt, len(sound)))
    return None


@case(
    _RPC, "A client that reads slowly delays its own utterance only: what waits for it is bounded, older partials are"
)
async def slow_reader(peer: SttPeer) -> str | None:
    """One client talks and does not read: another is answered meanwhile, and the first as soon as it reads."""
    info, fmt = await peer.info(), await peer.fmt()
    slow = peer.open(reading=False)
    sentence = speech(fmt)
    longest_s = min(_SLOW_READERS_AUDIO_S, seconds(info.max_utterance) or _SLOW_READERS_AUDIO_S)
    times = int(longest_s / seconds_of(fmt, len(sentence)))
    await slow.send(await peer.config(partials=True), *in_pieces(sentence * times, length(fmt, 0.1)), FINISH)
    await slow.half_close()
    if info.capacity > 1:
        began = time.monotonic()
        await peer.recognized([await peer.config(), audio(sentence), FINISH])
        peer.measures["other_answered_ms"] = round((time.monotonic() - began) * 1000, 1)
    await asyncio.sleep(peer.patience.stall_s)
    slow.read_on()
    heard = await peer.served(slow)
    return f"{len(heard.partials)} partials had waited"


CASES = (cancel_frees_the_slot, deadline_respected, capacity_is_exact, two_interleaved_utterances, slow_reader)
