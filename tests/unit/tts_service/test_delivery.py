"""From chunks to messages: numbering, lengths, positions, and segments that stand alone."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.audio.v1 import audio_pb2
from parley.tts.v1 import tts_pb2
from servicekit.audio import MULAW_8K, WireDecoder, bytes_per_sample, pcm
from tts_service.delivery import FORMATS, ReplyDelivery, is_delivered
from tts_service.levels import VoiceLevels
from tts_service.segment_sound import SegmentSound
from tts_service.speech import EngineError, SpeechChunk, WordSpan
from tts_service.text import normalised

RATE = 22_050
WORDS = normalised("abc def ghi " * 30)


def tone(samples: int, phase: int = 0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * 440 * (np.arange(samples) + phase) / RATE + 0.5)).astype(np.float32)


def delivery(fmt: audio_pb2.AudioFormat = MULAW_8K) -> ReplyDelivery:
    return ReplyDelivery(fmt, alignments=True, message_ms=200, first_message_ms=40)


def sound_of(fmt: audio_pb2.AudioFormat, source_hz: int = RATE, gain: float = 1.0) -> SegmentSound:
    return SegmentSound(source_hz, fmt, VoiceLevels(-20.0), gain)


def spoken(
    reply: ReplyDelivery, number: int, *chunks: SpeechChunk, source_hz: int = RATE
) -> list[tts_pb2.SynthesizeResponse]:
    """A whole segment."""
    sound = sound_of(reply.format, source_hz)
    reply.begin(number, WORDS)
    messages = [message for chunk in chunks for message in reply.chunk(sound, chunk)]
    return [*messages, *reply.rest(sound), reply.done()]


def payload_of(messages: list[tts_pb2.SynthesizeResponse]) -> bytes:
    return b"".join(message.audio.payload for message in messages)


def ranges_of(messages: list[tts_pb2.SynthesizeResponse]) -> list[tts_pb2.AlignedRange]:
    return [piece for message in messages for piece in message.alignment.ranges]


def test_formats_are_offered_exactly() -> None:
    assert all(is_delivered(fmt) for fmt in FORMATS)
    # A peer that leaves the number of channels unset means one.
    assert is_delivered(audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_MULAW, sample_rate_hz=8000))
    assert not is_delivered(pcm(44100))
    assert not is_delivered(audio_pb2.AudioFormat())


@given(st.lists(st.integers(0, 4000), min_size=1, max_size=12), st.sampled_from(range(len(FORMATS))))
def test_a_segment_sounds_the_same_however_its_engine_cuts_it(cuts: list[int], which: int) -> None:
    fmt = FORMATS[which]
    whole = tone(sum(cuts))
    starts = [0, *itertools.accumulate(cuts)]
    chunks = [SpeechChunk(whole[start : start + length]) for start, length in zip(starts, cuts, strict=False)]
    messages = spoken(delivery(fmt), 1, *chunks)
    at_once = spoken(delivery(fmt), 1, SpeechChunk(whole))
    decoded = WireDecoder(fmt).decode(payload_of(messages))
    np.testing.assert_allclose(decoded, WireDecoder(fmt).decode(payload_of(at_once)), atol=2e-4)
    assert len(decoded) == -(-len(whole) * fmt.sample_rate_hz // RATE)
    assert messages[-1].segment_done.samples == len(payload_of(messages)) // bytes_per_sample(fmt)


def test_a_segment_sounds_the_same_wherever_in_a_reply_it_stands() -> None:
    reply = delivery(pcm(8000))
    first = spoken(reply, 1, SpeechChunk(tone(5000)))
    second = spoken(reply, 2, SpeechChunk(tone(5000)))
    assert payload_of(first) == payload_of(second)
    seqs = [message.audio.seq for message in [*first, *second] if message.HasField("audio")]
    assert seqs == list(range(1, len(seqs) + 1))
    samples = len(payload_of(first) + payload_of(second)) // 2
    assert reply.finished().finished.duration.ToNanoseconds() == samples * 1_000_000_000 // 8000


def test_segments_meet_in_silence() -> None:
    reply = delivery(pcm(24_000))
    parts = [WireDecoder(pcm(24_000)).decode(payload_of(spoken(reply, n, SpeechChunk(tone(9000)), source_hz=24_000)))
             for n in (1, 2)]  # fmt: skip
    assert abs(float(parts[0][-1])) < 0.01
    assert abs(float(parts[1][0])) < 0.01
    # The greatest step anywhere is the tone's own.
    steps = np.abs(np.diff(np.concatenate(parts)))
    assert float(steps.max()) <= float(np.abs(np.diff(tone(9000))).max()) * 1.05


def test_messages_hold_whole_samples_and_are_no_longer_than_asked() -> None:
    messages = [m for m in spoken(delivery(pcm(48000)), 1, SpeechChunk(tone(RATE))) if m.HasField("audio")]
    lengths = [len(message.audio.payload) for message in messages]
    assert lengths[0] == 2 * 48 * 40
    assert max(lengths[1:]) == 2 * 48 * 200
    assert all(length % 2 == 0 for length in lengths)


def test_words_move_with_the_silence_that_was_dropped() -> None:
    sound = np.concatenate([np.zeros(12_000, dtype=np.float32), tone(12_000)])
    chunk = SpeechChunk(sound, (WordSpan(0, 2, 12_000, 24_000),))
    messages = spoken(delivery(pcm(24000)), 1, chunk, source_hz=24000)
    ranges = ranges_of(messages)
    assert [(r.text_start, r.text_end) for r in ranges] == [(0, 2)]
    assert ranges[0].start_sample == 240  # the 10 ms that are kept before the first sound
    assert ranges[0].end_sample == messages[-1].segment_done.samples == 12_240


def test_words_stand_where_the_client_wrote_them() -> None:
    reply = delivery(pcm(24000))
    text = normalised("  so \U0001f600\n it  is")
    assert text.text == "so it is"
    sound = sound_of(reply.format, 24000)
    reply.begin(1, text)
    words = (WordSpan(0, 2, 0, 4000), WordSpan(3, 5, 4000, 8000), WordSpan(6, 8, 8000, 12_000))
    messages = [*reply.chunk(sound, SpeechChunk(tone(12_000), words)), *reply.rest(sound)]
    assert [(r.text_start, r.text_end) for r in ranges_of(messages)] == [(2, 4), (8, 10), (12, 14)]


def test_a_kept_segment_comes_as_it_was_spoken() -> None:
    reply = delivery(pcm(8000))
    sound = sound_of(reply.format)
    reply.begin(1, WORDS)
    chunk = SpeechChunk(tone(RATE), (WordSpan(0, 3, 0, RATE // 2), WordSpan(4, 7, RATE // 2, RATE)))
    spoken_now = [*reply.chunk(sound, chunk), *reply.rest(sound), reply.done()]
    whole = sound.whole()
    assert whole is not None
    again = delivery(pcm(8000))
    again.begin(1, WORDS)
    kept = [*again.kept(whole), again.done()]
    assert payload_of(kept) == payload_of(spoken_now)
    assert ranges_of(kept) == ranges_of(spoken_now)
    assert kept[-1] == spoken_now[-1]
    assert all(message.audio.cached for message in kept if message.HasField("audio"))
    assert not any(message.audio.cached for message in spoken_now)


@given(
    st.lists(
        st.tuples(st.integers(-5, 300), st.integers(-5, 300), st.integers(-9, 9000), st.integers(-9, 9000)), max_size=20
    )
)
def test_ranges_obey_the_contract_whatever_an_engine_reports(spans: list[tuple[int, int, int, int]]) -> None:
    words = tuple(WordSpan(max(0, a), b, c, d) for a, b, c, d in spans)
    messages = spoken(delivery(pcm(16000)), 1, SpeechChunk(tone(4000), words))
    ranges = ranges_of(messages)
    samples = messages[-1].segment_done.samples
    for piece in ranges:
        assert piece.text_start < piece.text_end
        assert piece.start_sample < piece.end_sample <= samples
    for before, after in itertools.pairwise(ranges):
        assert before.text_end <= after.text_start
        assert before.end_sample <= after.start_sample


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_refused(bad: float) -> None:
    samples = tone(2400)
    samples[100] = bad
    with pytest.raises(EngineError, match="no numbers"):
        sound_of(pcm(24000), 24000).add(SpeechChunk(samples))


def test_what_is_too_loud_is_clipped() -> None:
    samples = tone(2400)
    samples[500:600] = 7.0
    messages = spoken(delivery(pcm(24000)), 1, SpeechChunk(samples), source_hz=24000)
    heard = WireDecoder(pcm(24000)).decode(payload_of(messages))
    assert float(heard[520]) == pytest.approx(1.0, abs=1e-3)


def test_a_segment_without_sound_is_silent() -> None:
    reply = delivery()
    reply.begin(4, normalised(""))
    assert reply.done().segment_done == tts_pb2.SegmentDone(segment=4, samples=0, silent=True)
    assert reply.finished().finished.duration.ToNanoseconds() == 0


def test_a_segment_that_lasts_too_long_is_spoken_but_not_kept() -> None:
    sound = sound_of(pcm(48_000))
    for _ in range(45):
        sound.add(SpeechChunk(tone(RATE)))
    sound.end()
    assert sound.whole() is None
