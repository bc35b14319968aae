"""Collecting a reply's text into segments: when one is complete, and how long it may get. Does no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from parley.tts.v1 import tts_pb2

MAX_SEGMENT_CODE_POINTS = 10_000


class TextTooLongError(Exception):
    """A segment has more than :data:`MAX_SEGMENT_CODE_POINTS` code points."""


@dataclass(frozen=True)
class Segment:
    """A complete segment; voice and language are empty unless its text messages named them."""

    number: int
    text: str
    voice: str = ""
    language: str = ""


class SegmentCollector:
    """Joins text messages of one segment; a segment is complete when a higher number, a flush or the finish follows.

    Takes messages whose order was checked (:class:`servicekit.protocol.SynthesizeOrder`).
    """

    def __init__(self) -> None:
        self._number = 0
        self._parts: list[str] = []
        self._length = 0
        self._voice = ""
        self._language = ""

    def add(self, message: tts_pb2.Text) -> Segment | None:
        """Take a text message; give the segment it completes. Raises TextTooLongError."""
        complete = self.flush() if message.segment != self._number else None
        self._number = message.segment
        self._length += len(message.text)
        if self._length > MAX_SEGMENT_CODE_POINTS:
            raise TextTooLongError(
                f"segment {message.segment} has more than {MAX_SEGMENT_CODE_POINTS} code points; split it into segments"
            )
        self._parts.append(message.text)
        self._voice = message.voice or self._voice
        self._language = message.language or self._language
        return complete

    def flush(self) -> Segment | None:
        """Complete what was collected, if anything was."""
        if not self._number:
            return None
        segment = Segment(self._number, "".join(self._parts), self._voice, self._language)
        self._number, self._parts, self._length, self._voice, self._language = 0, [], 0, "", ""
        return segment
