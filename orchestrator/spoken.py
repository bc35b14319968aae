"""The sound of one reply or prompt, while it is being synthesised, played, paused and resumed."""

from __future__ import annotations

import asyncio

from orchestrator.heard import AlignedSegment, Range, SegmentText, heard_written, resume_point
from parley.audio.v1 import audio_pb2
from servicekit.audio import bytes_per_sample

# A playout that waits for its turn to send has been promised the next piece of sound.
_ASKED_FOR_MS = 250.0


class SpokenReply:
    """Sound with its text: filled by synthesis, read by playouts. Positions are samples from the reply's start.

    One filler and one reader at a time. What was heard and cannot be resumed any more is forgotten, so that a long
    reply costs no more memory than what waits to be played.
    """

    def __init__(self, fmt: audio_pb2.AudioFormat, *, text_start: int = 0, heard_length: int = 0) -> None:
        """Sound in ``fmt``. A rest begins at ``text_start`` of the spoken text, ``heard_length`` being heard before."""
        self.format = fmt
        self._text_start = text_start
        self._heard_before = heard_length
        self._width = bytes_per_sample(fmt)
        self._audio = bytearray()
        self._forgotten = 0
        self.segments: list[AlignedSegment] = []
        self.complete = False
        """Whether all sound has come, be it because synthesis failed."""
        self.written = ""
        """The reply as the brain wrote it so far."""
        self.by_fallback = False
        """Whether the fallback brain wrote it, so that the call's own knows nothing of it."""
        self.heard = 0
        """Played to the caller's ear up to this sample, as far as is known."""
        self.cursor = 0
        """Handed to a playout up to this sample."""
        self._changed = asyncio.Event()
        self._consumed = asyncio.Event()

    # ------------------------------------------------------------------------------------------------------- filling

    @property
    def samples(self) -> int:
        """Samples that have come."""
        return self._forgotten + len(self._audio) // self._width

    def ms(self, samples: int) -> float:
        """How long so many samples sound."""
        return samples * 1000.0 / self.format.sample_rate_hz

    def samples_in(self, ms: float) -> int:
        """Whole samples in so many milliseconds."""
        return int(ms * self.format.sample_rate_hz / 1000.0 + 0.5)

    def begin_segment(self, text: SegmentText) -> None:
        """The next segment's sound begins here once it comes."""
        before = self.segments[-1] if self.segments else None
        text_start = before.text_start + len(before.text.spoken) + 1 if before else self._text_start
        self.segments.append(AlignedSegment(text, text_start, self.samples))

    def add_audio(self, index: int, payload: bytes) -> None:
        """Append sound of the ``index``-th segment (from 0)."""
        segment = self.segments[index]
        if segment.samples == 0:
            segment.start = self.samples
        self._audio += payload
        segment.samples = self.samples - segment.start
        self._changed.set()

    def align(self, index: int, ranges: list[Range]) -> None:
        """Add alignment of the ``index``-th segment."""
        self.segments[index].ranges.extend(ranges)

    def segment_done(self, index: int) -> None:
        """All sound of the ``index``-th segment has come."""
        segment = self.segments[index]
        if segment.samples == 0:
            segment.start = self.samples
        segment.done = True
        for following in self.segments[index + 1 :]:
            following.start = self.samples

    def realign(self, index: int, ranges: list[Range]) -> None:
        """Replace the alignment of the ``index``-th segment: its sound came again."""
        self.segments[index].ranges[:] = ranges

    def restart_segment(self, index: int) -> int:
        """The sound of the ``index``-th segment will come again from its beginning; it is the last that has any.

        What of it no playout has asked for is dropped. Returns how many samples of it stay: so many of those that
        come again are not to be added.
        """
        segment = self.segments[index]
        segment.done = False
        asked_for = max(self.cursor, self.heard) + self.samples_in(_ASKED_FOR_MS)
        stays = min(max(asked_for - segment.start, 0), segment.samples)
        if stays < segment.samples:
            del self._audio[(segment.start + stays - self._forgotten) * self._width :]
            segment.samples = stays
        return stays

    def close(self) -> None:
        """No more sound will come."""
        self.complete = True
        self._changed.set()
        self._consumed.set()

    async def room(self, ahead_ms: float) -> None:
        """Wait until less than ``ahead_ms`` of sound waits to be handed to a playout."""
        while not self.complete and self.ms(self.samples - self.cursor) >= ahead_ms:
            self._consumed.clear()
            await self._consumed.wait()

    # ------------------------------------------------------------------------------------------------------- playing

    async def available(self, position: int) -> int:
        """Samples that can be read from ``position``, waiting for some; 0 at the end."""
        while position >= self.samples and not self.complete:
            self._changed.clear()
            await self._changed.wait()
        return max(0, self.samples - position)

    def read(self, position: int, samples: int) -> bytes:
        """Sound from ``position``; what is handed out counts as on its way to the caller."""
        start = (position - self._forgotten) * self._width
        payload = bytes(self._audio[start : start + samples * self._width])
        self.cursor = position + len(payload) // self._width
        self._consumed.set()
        return payload

    def go_back(self, sample: int) -> None:
        """The next playout begins at this sample."""
        self.cursor = sample

    def played(self, sample: int) -> None:
        """The caller has heard everything up to ``sample``; what lies well before the word being said is forgotten."""
        if sample <= self.heard:
            return
        self.heard = min(sample, self.samples)
        # A tail may have been begun before a late report said that some of it had been heard already.
        keep = min(self.resume_point()[0], self.heard, self.cursor) - self._forgotten
        # In pieces of some size: each cut moves all that is kept.
        if keep * self._width > 65_536:
            del self._audio[: keep * self._width]
            self._forgotten += keep

    # ---------------------------------------------------------------------------------------------------------- text

    def resume_point(self) -> tuple[int, int]:
        """Sample and code point of the spoken text from which a resumed tail goes on."""
        sample, offset = resume_point(self.segments, self.heard)
        return max(sample, self._forgotten), offset

    @property
    def heard_length(self) -> int:
        """Code points of the reply as written that were heard."""
        return max(self._heard_before, heard_written(self.segments, self.heard))

    @property
    def said_length(self) -> int:
        """Code points of the reply as written whose sound has come."""
        return max((s.text.written_end for s in self.segments if s.done), default=0)

    @property
    def heard_text(self) -> str:
        """The reply as written, up to where it was heard."""
        return self.written[: self.heard_length].rstrip()
