"""When a segment is complete, and how long it may get."""

from __future__ import annotations

import pytest

from parley.tts.v1 import tts_pb2
from tts_service.segments import MAX_SEGMENT_CODE_POINTS, Segment, SegmentCollector, TextTooLongError


def message(segment: int, words: str, voice: str = "", language: str = "") -> tts_pb2.Text:
    return tts_pb2.Text(segment=segment, text=words, voice=voice, language=language)


def test_a_higher_number_completes_a_segment() -> None:
    collector = SegmentCollector()
    assert collector.add(message(1, "Hello ")) is None
    assert collector.add(message(1, "there")) is None
    assert collector.add(message(2, "next")) == Segment(1, "Hello there")
    assert collector.flush() == Segment(2, "next")


def test_a_flush_completes_it_once() -> None:
    collector = SegmentCollector()
    assert collector.flush() is None
    collector.add(message(1, "a"))
    assert collector.flush() == Segment(1, "a")
    assert collector.flush() is None


def test_an_empty_segment_is_a_segment() -> None:
    collector = SegmentCollector()
    collector.add(message(1, ""))
    assert collector.flush() == Segment(1, "")


def test_voice_and_language_belong_to_their_segment_alone() -> None:
    collector = SegmentCollector()
    collector.add(message(1, "a", voice="de", language="de-AT"))
    collector.add(message(1, "b"))
    assert collector.add(message(2, "c")) == Segment(1, "ab", "de", "de-AT")
    assert collector.flush() == Segment(2, "c")


def test_the_limit_counts_code_points_of_the_whole_segment() -> None:
    collector = SegmentCollector()
    collector.add(message(1, "😀" * MAX_SEGMENT_CODE_POINTS))
    with pytest.raises(TextTooLongError, match="segment 1"):
        collector.add(message(1, "a"))
    fresh = SegmentCollector()
    fresh.add(message(1, "a" * MAX_SEGMENT_CODE_POINTS))
    assert fresh.add(message(2, "b")) is not None
