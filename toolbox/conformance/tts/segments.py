"""Segments: when they are spoken, in which order, and how long they are."""

from __future__ import annotations

from parley.audio.v1 import audio_pb2
from parley.tts.v1 import tts_pb2
from servicekit.audio import bytes_per_sample
from toolbox.conformance.case import BrokenError, case
from toolbox.conformance.tts.peer import FLUSH, Spoken, TtsPeer, numbers, text

_RPC = "TextToSpeech.Synthesize"
_COMPLETE = "A segment is complete, and is spoken, when a higher segment number, a `flush` or `finish` follows it."
_SILENT = "a segment with nothing to pronounce gets `segment_done` alone."
_WORDS = ("It is noon.", "The shop is open.", "Anything else?")


@case(_RPC, "Audio is contiguous: the reply is the payloads in order.")
async def segments_in_order(peer: TtsPeer) -> str | None:
    """Three segments, not numbered one by one: each is heard whole before the next, and done once."""
    wanted = [2, 3, 7]
    messages = [text(number, words) for number, words in zip(wanted, _WORDS, strict=True)]
    spoken = await peer.spoken(await peer.config(), *messages)
    heard = [audio.segment for audio in spoken.audio]
    if sorted(heard) != heard or sorted(set(heard)) != wanted:
        raise BrokenError(f"sound of segments {wanted}, one after another", f"of {heard}")
    if numbers(spoken.done) != wanted:
        raise BrokenError(f"one `segment_done` for each of {wanted}", f"{numbers(spoken.done)}")
    return None


@case(_RPC, _COMPLETE)
async def a_higher_segment_completes(peer: TtsPeer) -> str | None:
    """Once the second segment's text has come the first is spoken, while the client is silent."""
    exchange = await peer.begun()
    await exchange.send(text(2, _WORDS[1]))
    await peer.until(exchange, "segment_done", "segment 1, since a higher segment followed it,")
    return None


@case(_RPC, _COMPLETE)
async def flush_speaks(peer: TtsPeer) -> str | None:
    """After a flush the segment is spoken, while the client is silent."""
    exchange = await peer.begun()
    await exchange.send(FLUSH)
    await peer.until(exchange, "segment_done", "segment 1, since a `flush` followed it,")
    return None


@case("SegmentDone.samples", "Samples of one channel sent for it, at the chosen format's rate.")
async def segments_as_long_as_they_say(peer: TtsPeer) -> str | None:
    """In the telephone's format and in wide samples each segment's samples are its bytes."""
    for fmt in await _narrow_and_wide(peer):
        spoken = await _three(peer, await peer.config(fmt))
        for done in spoken.done:
            if done.samples != spoken.samples(done.segment):
                raise BrokenError(
                    f"{spoken.samples(done.segment)} samples for segment {done.segment}, as its payloads hold",
                    f"{done.samples}",
                )
    return None


@case("Finished.duration", "Length of all audio sent.")
async def duration_equals_bytes(peer: TtsPeer) -> str | None:
    """In the telephone's format and in wide samples the reply's duration is that of its bytes."""
    for fmt in await _narrow_and_wide(peer):
        spoken = await _three(peer, await peer.config(fmt))
        assert spoken.finished is not None
        said, sent = spoken.finished.duration.ToNanoseconds() / 1e9, spoken.samples() / fmt.sample_rate_hz
        if abs(said - sent) > 1.5 / fmt.sample_rate_hz:
            raise BrokenError(f"a duration of {sent:.4f} s, as its payloads hold", f"{said:.4f} s")
    return None


@case(_RPC, _SILENT)
async def empty_text(peer: TtsPeer) -> str | None:
    """A segment without a character is done, without sound, and the next is spoken."""
    await _silent_then_spoken(peer, "")
    return None


@case(_RPC, _SILENT)
async def nothing_to_pronounce(peer: TtsPeer) -> str | None:
    """Spaces and marks alone are done, without sound, and the next segment is spoken."""
    await _silent_then_spoken(peer, " … \n\t- ")
    return None


@case("SegmentDone.silent", "True when its text held nothing to pronounce.")
async def silence_is_marked(peer: TtsPeer) -> str | None:
    """It is true for a segment of spaces, and false for a word."""
    spoken = await peer.spoken(await peer.config(), text(1, "  "), text(2, "One."))
    for done in spoken.done:
        if done.silent != (done.segment == 1):
            raise BrokenError(f"silent {done.segment == 1} for segment {done.segment}", f"{done.silent}")
    return None


@case("Finished", "The reply's sound is complete.")
async def no_text(peer: TtsPeer) -> str | None:
    """A reply without text is complete at once, and has no length."""
    spoken = await peer.spoken(await peer.config())
    if spoken.audio or spoken.done or (spoken.finished and spoken.finished.duration.ToNanoseconds()):
        raise BrokenError("`finished` with no duration, and nothing before it", "sound, segments or a duration")
    return None


async def _narrow_and_wide(peer: TtsPeer) -> list[audio_pb2.AudioFormat]:
    usual = await peer.fmt()
    return [usual, *[fmt for fmt in await peer.sample_formats() if bytes_per_sample(fmt) > bytes_per_sample(usual)][:1]]


async def _three(peer: TtsPeer, config: tts_pb2.SynthesizeRequest) -> Spoken:
    return await peer.spoken(config, *(text(number, words) for number, words in enumerate(_WORDS, 1)))


async def _silent_then_spoken(peer: TtsPeer, words: str) -> None:
    spoken = await peer.spoken(await peer.config(), text(1, words), text(2, "One."))
    if spoken.samples(1) or numbers(spoken.done) != [1, 2]:
        raise BrokenError(
            "`segment_done` alone for segment 1, then segment 2",
            f"{spoken.samples(1)} samples of segment 1, `segment_done` for {numbers(spoken.done)}",
        )
    if not spoken.samples(2):
        raise BrokenError("sound for segment 2", "none")


CASES = (
    segments_in_order,
    a_higher_segment_completes,
    flush_speaks,
    segments_as_long_as_they_say,
    duration_equals_bytes,
    empty_text,
    nothing_to_pronounce,
    silence_is_marked,
    no_text,
)
