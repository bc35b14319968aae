"""What the server says of itself, and how its RPC goes when nothing is wrong."""

from __future__ import annotations

import time

from parley.audio.v1 import audio_pb2
from servicekit.audio import describe, same_format
from toolbox.conformance import surroundings
from toolbox.conformance.case import BrokenError, case
from toolbox.conformance.tts.peer import TtsPeer, numbers, text

_CONTRACT = "parley.tts.v1"
_CHEAP_S = 2.0
_RPC = "TextToSpeech.Synthesize"


@case("TextToSpeech.GetInfo", "Says what this server is and can do. Cheap: never loads or runs a model.")
async def get_info(peer: TtsPeer) -> str | None:
    """Everything that a client must know is there and makes sense."""
    began = time.monotonic()
    info = await peer.info()
    took_s = time.monotonic() - began
    if info.contract != _CONTRACT:
        raise BrokenError(f"contract {_CONTRACT!r}", f"{info.contract!r}")
    for what, value in (("engine", info.engine), ("default voice", info.default_voice)):
        if not value:
            raise BrokenError(f"the {what}'s name", "an empty one")
    if not info.languages or not info.formats:
        raise BrokenError("at least one language and one format", "none")
    for fmt in info.formats:
        if fmt.encoding == audio_pb2.ENCODING_UNSPECIFIED or not fmt.sample_rate_hz or not fmt.channels:
            raise BrokenError("formats with encoding, sample rate and channels", describe(fmt))
    if not info.in_use <= info.capacity or info.capacity < 1:
        raise BrokenError("a capacity of at least 1 and of no less than in_use", f"{info.capacity}, {info.in_use}")
    if took_s > _CHEAP_S:
        raise BrokenError(f"an answer within {_CHEAP_S:g} s", f"one after {took_s:.1f} s")
    return f"{info.engine} {info.engine_version}, {info.model}; {info.capacity} at once"


@case(_RPC, "Beside this service stands grpc.health.v1: SERVING while replies are taken")
async def health(peer: TtsPeer) -> str | None:
    """It is SERVING."""
    return await surroundings.health(peer)


@case(_RPC, "After `finish` and the last segment, `finished`, then the stream ends with OK.")
async def plain_reply(peer: TtsPeer) -> str | None:
    """Two segments: `ready` with format, voice and engine, both spoken, `finished`, OK."""
    spoken = await peer.spoken(await peer.config(), text(1, "It is noon."), text(2, "Anything else?"))
    ready, info = spoken.ready, await peer.info()
    if ready is None or ready.engine != info.engine:
        raise BrokenError(f"ready.engine {info.engine!r}, as in GetInfo", f"{ready.engine if ready else None!r}")
    if not same_format(ready.format, spoken.fmt):
        raise BrokenError(f"ready.format {describe(spoken.fmt)}, the one asked for", describe(ready.format))
    if not ready.voice:
        raise BrokenError("ready.voice, the voice that will speak", "an empty one")
    if numbers(spoken.done) != [1, 2] or not all(done.samples for done in spoken.done):
        raise BrokenError("segments 1 and 2, both with sound", f"{[(one.segment, one.samples) for one in spoken.done]}")
    return f"voice {ready.voice}"


@case(
    _RPC, "Server to client: `ready` exactly once and first; then for each segment, in order, `audio` and `alignment`"
)
async def order_throughout(peer: TtsPeer) -> str | None:
    """In no case of this run did a message come out of order."""
    await peer.spoken(await peer.config(alignments=True), text(1, "It is noon."), text(2, "Anything else?"))
    if peer.target.disorder:
        first, more = peer.target.disorder[0], len(peer.target.disorder) - 1
        raise BrokenError("messages in order throughout", first + (f", and {more} more like it" if more else ""))
    return None


@case(_RPC, "while draining it is not, and those begun before are still spoken.")
async def health_while_draining(peer: TtsPeer) -> str | None:
    """Told to end, it finishes what was begun, takes nothing new, and says so."""
    return await surroundings.drain(peer)
