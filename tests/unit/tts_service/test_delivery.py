"""From chunks to messages: numbering, lengths, positions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.audio.v1 import audio_pb2
from parley.tts.v1 import tts_pb2
from servicekit.audio import MULAW_8K, WireDecoder, WireEncoder, bytes_per_sample, pcm
from tts_service.delivery import FORMATS, ReplyDelivery, is_delivered
from tts_service.speech import SpeechChunk, WordSpan

RATE = 22_050


def tone(samples: int, phase: int = 0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * 440 * (np.arange(samples) + phase) / RATE + 0.5)).astype(np.float32)


def delivery(fmt: audio_pb2.AudioFormat = MULAW_8K, source_hz: int = RATE) -> ReplyDelivery:
    return ReplyDelivery(source_hz, fmt, alignments=True, message_ms=200, first_message_ms=40)


def payload_of(messages: list[tts_pb2.SynthesizeResponse]) -> bytes:
    return b"".join(message.audio.payload for message in messages)


def test_formats_are_offered_exactly() -> None:
    assert all(is_delivered(fmt) for fmt in FORMATS)
    # A peer that leaves the number of channels unset means one.
    assert is_delivered(audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_MULAW, sample_rate_hz=8000))
    assert not is_delivered(pcm(44100))
    assert not is_delivered(audio_pb2.AudioFormat())


@given(st.lists(st.integers(0, 4000), min_size=1, max_size=12), st.sampled_from(range(len(FORMATS))))
def test_segments_join_without_a_seam_whatever_their_cut(cuts: list[int], which: int) -> None:
    fmt = FORMATS[which]
    whole = tone(sum(cuts))
    encoder = WireEncoder(RATE, fmt)
    expected = encoder.encode(whole) + encoder.flush() if len(whole) else b""
    reply = delivery(fmt)
    messages: list[tts_pb2.SynthesizeResponse] = []
    start = 0
    for number, length in enumerate(cuts, start=1):
        reply.begin(number)
        messages += reply.chunk(SpeechChunk(whole[start : start + length]))
        start += length
        messages += reply.end(last=number == len(cuts))
    decoded = WireDecoder(fmt).decode(payload_of(messages))
    np.testing.assert_allclose(decoded, WireDecoder(fmt).decode(expected), atol=2e-4)
    width = bytes_per_sample(fmt)
    for done in (message.segment_done for message in messages if message.HasField("segment_done")):
        sent = sum(len(m.audio.payload) for m in messages if m.audio.segment == done.segment)
        assert done.samples == sent // width
    seqs = [message.audio.seq for message in messages if message.HasField("audio")]
    assert seqs == list(range(1, len(seqs) + 1))
    nanoseconds = reply.finished().finished.duration.ToNanoseconds()
    assert nanoseconds == pytest.approx(1e9 * len(expected) / width / fmt.sample_rate_hz, abs=1)


def test_messages_hold_whole_samples_and_are_no_longer_than_asked() -> None:
    reply = delivery(pcm(48000))
    reply.begin(1)
    messages = list(reply.chunk(SpeechChunk(tone(RATE))))
    lengths = [len(message.audio.payload) for message in messages]
    assert lengths[0] == 2 * 48 * 40
    assert max(lengths[1:]) == 2 * 48 * 200
    assert all(length % 2 == 0 for length in lengths)


def test_words_move_with_the_silence_that_was_dropped() -> None:
    reply = delivery(pcm(24000), source_hz=24000)
    reply.begin(1)
    sound = np.concatenate([np.zeros(12_000, dtype=np.float32), tone(12_000)])
    messages = list(reply.chunk(SpeechChunk(sound, (WordSpan(0, 2, 12_000, 24_000),)))) + list(reply.end(last=True))
    ranges = [piece for message in messages for piece in message.alignment.ranges]
    assert [(r.text_start, r.text_end) for r in ranges] == [(0, 2)]
    assert ranges[0].start_sample == 240  # the 10 ms that are kept before the first sound
    assert ranges[0].end_sample == messages[-1].segment_done.samples == 12_240


def test_positions_count_from_each_segments_own_start() -> None:
    reply = delivery(pcm(8000))
    all_ranges = []
    for number in (1, 2, 3):
        reply.begin(number)
        chunk = SpeechChunk(tone(RATE), (WordSpan(0, 1, 0, RATE // 2), WordSpan(2, 3, RATE // 2, RATE)))
        messages = [*reply.chunk(chunk), *reply.end(last=number == 3)]
        ranges = [piece for message in messages for piece in message.alignment.ranges]
        assert {message.alignment.segment for message in messages if message.HasField("alignment")} == {number}
        assert ranges[-1].end_sample <= messages[-1].segment_done.samples
        all_ranges.append([(r.start_sample, r.end_sample) for r in ranges])
    for found in all_ranges:
        assert found[0][0] <= 13  # the resampler's last millisecond of the segment before
        assert found[0][1] == found[1][0] == pytest.approx(4000, abs=13)
        assert found[1][1] == pytest.approx(8000, abs=13)


@given(
    st.lists(
        st.tuples(st.integers(-5, 300), st.integers(-5, 300), st.integers(-9, 9000), st.integers(-9, 9000)), max_size=20
    )
)
def test_ranges_obey_the_contract_whatever_an_engine_reports(spans: list[tuple[int, int, int, int]]) -> None:
    reply = delivery(pcm(16000))
    reply.begin(1)
    words = tuple(WordSpan(max(0, a), b, c, d) for a, b, c, d in spans)
    messages = [*reply.chunk(SpeechChunk(tone(4000), words)), *reply.end(last=True)]
    ranges = [piece for message in messages for piece in message.alignment.ranges]
    samples = messages[-1].segment_done.samples
    for piece in ranges:
        assert piece.text_start < piece.text_end
        assert piece.start_sample < piece.end_sample <= samples
    for before, after in itertools.pairwise(ranges):
        assert before.text_end <= after.text_start
        assert before.end_sample <= after.start_sample


def test_bad_samples_of_an_engine_become_silence_or_full_scale() -> None:
    reply = delivery(pcm(24000), source_hz=24000)
    reply.begin(1)
    bad = tone(2400)
    bad[100:200], bad[300:400], bad[500:600] = np.nan, np.inf, 7.0
    sound = WireDecoder(pcm(24000)).decode(payload_of([*reply.chunk(SpeechChunk(bad)), *reply.end(last=True)]))
    assert np.isfinite(sound).all()
    assert float(np.abs(sound).max()) <= 1.0
    assert float(np.abs(sound[120:180]).max()) == 0.0


def test_a_segment_without_sound_is_silent() -> None:
    reply = delivery()
    reply.begin(4)
    (message,) = reply.end(last=True)
    assert message.segment_done == tts_pb2.SegmentDone(segment=4, samples=0, silent=True)
    assert reply.finished().finished.duration.ToNanoseconds() == 0
