"""Alignments: there when promised and asked for, within text and sound, and never going back."""

from __future__ import annotations

from parley.tts.v1 import tts_pb2
from toolbox.conformance.case import BrokenError, SkipError, case
from toolbox.conformance.tts.peer import Spoken, TtsPeer, text

_WORDS = "Señor Müller, it is twelve o'clock 👍🏽 sharp. Anything else?"
_TEXTS = {1: _WORDS, 2: "The second one is short."}


@case("GetInfoResponse.alignments", "Whether it sends alignments.")
async def alignments_as_promised(peer: TtsPeer) -> str | None:
    """They come when asked for and promised, and only then."""
    promised = (await peer.info()).alignments
    if (await _aligned(peer, wanted=False)).alignments:
        raise BrokenError("no alignments, for none were asked for", "some")
    came = bool((await _aligned(peer, wanted=True)).alignments)
    if came != promised:
        raise BrokenError(f"alignments {promised}, as GetInfo says", f"{came}")
    return "promised and sent" if promised else "none promised, none sent"


@case("Alignment", "ranges do not overlap and go up in both text and samples.")
async def alignments_rise(peer: TtsPeer) -> str | None:
    """Within a segment no range begins before the one before it has ended, in the text or in the sound."""
    spoken = await _promised(peer)
    for segment in _TEXTS:
        at_text = at_sample = 0
        for found in _ranges(spoken, segment):
            if found.text_start < at_text or found.start_sample < at_sample:
                raise BrokenError(
                    f"a range of segment {segment} from code point {at_text} and sample {at_sample} on",
                    f"one from code point {found.text_start} and sample {found.start_sample}",
                )
            at_text, at_sample = found.text_end, found.end_sample
    return f"{sum(len(one.ranges) for one in spoken.alignments)} ranges"


@case("AlignedRange.text_end", "One past the last code point.")
async def alignments_lie_within(peer: TtsPeer) -> str | None:
    """Each range lies within the segment's text, counted in code points, and within its sound."""
    spoken = await _promised(peer)
    for segment, words in _TEXTS.items():
        samples = spoken.samples(segment)
        for found in _ranges(spoken, segment):
            if not (found.text_start < found.text_end <= len(words)):
                raise BrokenError(
                    f"a range within the {len(words)} code points of segment {segment}",
                    f"{found.text_start} to {found.text_end}",
                )
            if not (found.start_sample <= found.end_sample <= samples):
                raise BrokenError(
                    f"a range within the {samples} samples of segment {segment}",
                    f"{found.start_sample} to {found.end_sample}",
                )
    return None


async def _promised(peer: TtsPeer) -> Spoken:
    if not (await peer.info()).alignments:
        raise SkipError("GetInfo promises no alignments")
    return await _aligned(peer, wanted=True)


async def _aligned(peer: TtsPeer, *, wanted: bool) -> Spoken:
    messages = [text(segment, words) for segment, words in _TEXTS.items()]
    return await peer.spoken(await peer.config(alignments=wanted), *messages)


def _ranges(spoken: Spoken, segment: int) -> list[tts_pb2.AlignedRange]:
    return [found for one in spoken.alignments if one.segment == segment for found in one.ranges]


CASES = (alignments_as_promised, alignments_rise, alignments_lie_within)
