"""Audio in pieces of any size, silence, and none at all."""

from __future__ import annotations

import grpc

from parley.audio.v1 import audio_pb2
from servicekit.audio import bytes_per_sample, seconds_of
from toolbox.conformance.case import BrokenError, SkipError, case
from toolbox.conformance.refusals import MIB, message_too_large, refused
from toolbox.conformance.stt.peer import FINISH, Heard, SttPeer, audio, in_pieces, require_within, seconds
from toolbox.conformance.stt.sound import length, silence, speech

_LONGEST_TRIED_S = 330.0
_REFUSED_WITHIN_S = 0.2
_NOTHING_SAID = "The whole utterance; empty when nothing was said."


@case("AudioChunk.payload", "Raw audio in the format of the config; any whole number of samples, at most 1 MiB.")
async def odd_chunk_sizes(peer: SttPeer) -> str | None:
    """Pieces of one sample, of 161 samples and of other odd sizes are one utterance."""
    wide = [fmt for fmt in await peer.sample_formats() if bytes_per_sample(fmt) > 1]
    for fmt in (await peer.fmt(), *wide[:1]):
        width = bytes_per_sample(fmt)
        sound = speech(fmt)[: length(fmt, 0.5)]
        single = length(fmt, 0.005)
        sizes = [size * width for size in (161, 7, 1000, 1, 333)]
        messages = [*in_pieces(sound[:single], width), *in_pieces(sound[single:], *sizes)]
        heard = await peer.recognized([await peer.config(fmt), *messages, FINISH])
        require_within("the final's audio_end", heard.last.audio_end, seconds_of(fmt, len(sound)))
    return None


@case("AudioChunk.payload", "Raw audio in the format of the config; any whole number of samples, at most 1 MiB.")
async def split_samples(peer: SttPeer) -> str | None:
    """A client that cuts 16-bit samples in two breaks the contract: it is borne, or refused, and never a crash."""
    wide = [fmt for fmt in await peer.sample_formats() if bytes_per_sample(fmt) > 1]
    if not wide:
        raise SkipError("GetInfo offers one-byte samples only, which cannot be split")
    sound = speech(wide[0])[: length(wide[0], 0.5)]
    exchange = peer.open()
    await exchange.send(await peer.config(wide[0]), audio(sound[:161]))
    if not await exchange.ends_within(_REFUSED_WITHIN_S):
        await exchange.send(*in_pieces(sound[161:], 1, 320, 161), FINISH)
        await exchange.half_close()
    heard = Heard()
    for message in await exchange.rest("the answer to `finish`, or INVALID_ARGUMENT"):
        heard.add(message)
    ending = await exchange.ending()
    if ending.code is grpc.StatusCode.OK:
        require_within("the final's audio_end", heard.last.audio_end, seconds_of(wide[0], len(sound)))
        return "borne"
    if ending.code is not grpc.StatusCode.INVALID_ARGUMENT:
        raise BrokenError("OK or INVALID_ARGUMENT for samples that are split between messages", str(ending))
    return "refused"


@case("AudioChunk.payload", "Raw audio in the format of the config; any whole number of samples, at most 1 MiB.")
async def a_mebibyte_in_one_message(peer: SttPeer) -> str | None:
    """The largest message that the contract allows is taken."""
    offered = await peer.sample_formats()
    fmt = max(offered, key=lambda one: one.sample_rate_hz * bytes_per_sample(one))
    longest_s = seconds((await peer.info()).max_utterance)
    if longest_s and seconds_of(fmt, MIB) > longest_s:
        raise SkipError(f"1 MiB of any format offered is longer than its longest utterance, {longest_s:g} s")
    payload = silence(fmt, seconds_of(fmt, MIB))
    await peer.recognized([await peer.config(fmt), audio(payload), FINISH])
    return None


@case("SpeechToText.Recognize", "RESOURCE_EXHAUSTED when all slots are taken or a message is too large")
async def five_mebibytes_in_one_message(peer: SttPeer) -> str | None:
    """A message far beyond the limit is refused, and the server lives on."""
    return await message_too_large(peer)


@case("GetInfoResponse.max_utterance", "Longest utterance it takes.")
async def an_utterance_too_long(peer: SttPeer) -> str | None:
    """More audio than GetInfo allows is refused by its reason."""
    longest_s = seconds((await peer.info()).max_utterance)
    if not longest_s or longest_s > _LONGEST_TRIED_S:
        raise SkipError(f"its longest utterance, {longest_s:g} s, is more than the {_LONGEST_TRIED_S:g} s tried here")
    fmt = await _narrowest(peer)
    allowed = in_pieces(silence(fmt, longest_s), length(fmt, 10))
    messages = (await peer.config(fmt), *allowed, audio(silence(fmt, 1.0)))
    await refused(peer, "too much audio", *messages, reason="AUDIO_TOO_LONG")
    return f"{longest_s:g} s"


@case("Final.text", _NOTHING_SAID)
async def silence_is_nothing(peer: SttPeer) -> str | None:
    """Two seconds of digital silence are understood as nothing."""
    fmt = await peer.fmt()
    heard = await peer.recognized([await peer.config(), *in_pieces(silence(fmt, 2.0), length(fmt, 0.02)), FINISH])
    if heard.last.text:
        raise BrokenError("an empty text for two seconds of digital silence", f"{len(heard.last.text)} characters")
    return None


@case("Final.text", _NOTHING_SAID)
async def an_empty_utterance(peer: SttPeer) -> str | None:
    """An utterance without audio is answered, with an empty text."""
    heard = await peer.recognized([await peer.config(), FINISH])
    if heard.last.text:
        raise BrokenError("an empty text for an utterance without audio", f"{len(heard.last.text)} characters")
    require_within("the final's audio_end", heard.last.audio_end, 0.0)
    return None


@case("Final.text", _NOTHING_SAID)
async def speech_is_something(peer: SttPeer) -> str | None:
    """A sentence of the embedded voice gets some text; that it gets none may be the voice's fault."""
    heard = await peer.recognized([await peer.config(), audio(speech(await peer.fmt())), FINISH])
    if heard.last.text:
        return f"{len(heard.last.text.split())} words"
    if any("demo" in limitation for limitation in (await peer.info()).limitations):
        raise BrokenError("a text for a sentence of the demo, which GetInfo says it understands", "an empty one")
    peer.warnings.append(
        "nothing was understood of an English sentence by a synthetic voice; with a model that should know it, look "
        "at sample rate and encoding"
    )
    return None


async def _narrowest(peer: SttPeer) -> audio_pb2.AudioFormat:
    return min(await peer.sample_formats(), key=lambda one: one.sample_rate_hz * bytes_per_sample(one))


CASES = (
    odd_chunk_sizes,
    split_samples,
    a_mebibyte_in_one_message,
    five_mebibytes_in_one_message,
    an_utterance_too_long,
    silence_is_nothing,
    an_empty_utterance,
    speech_is_something,
)
