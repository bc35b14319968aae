"""Formats of the contracts, and their bytes in chunks of any length."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.audio.v1 import audio_pb2
from servicekit.audio import (
    MULAW_8K,
    FrameCutter,
    UnsupportedFormatError,
    WireDecoder,
    WireEncoder,
    bytes_per_sample,
    decode_mulaw,
    describe,
    pcm,
    same_format,
    seconds_of,
    to_float,
)

ALAW_8K = audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_ALAW, sample_rate_hz=8000, channels=1)
OPUS = audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_OPUS, sample_rate_hz=48000, channels=2)
STEREO = audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_PCM_S16LE, sample_rate_hz=8000, channels=2)


def test_formats_are_named_for_people() -> None:
    assert describe(MULAW_8K) == "mulaw 8000 Hz mono"
    assert describe(OPUS) == "opus 48000 Hz 2 channels"
    assert describe(audio_pb2.AudioFormat()) == "encoding 0 0 Hz mono"


def test_an_unset_channel_count_means_one() -> None:
    unset = audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_MULAW, sample_rate_hz=8000)
    assert same_format(unset, MULAW_8K)
    assert not same_format(pcm(8000), MULAW_8K)
    assert not same_format(pcm(8000), pcm(16000))


def test_bytes_are_counted_per_instant() -> None:
    assert [bytes_per_sample(fmt) for fmt in (MULAW_8K, ALAW_8K, pcm(24000), STEREO)] == [1, 1, 2, 4]
    assert seconds_of(MULAW_8K, 160) == pytest.approx(0.02)
    assert seconds_of(STEREO, 32000) == pytest.approx(1.0)


UNKNOWN = audio_pb2.AudioFormat.FromString(b"\x08\x63\x10\xc0\x3e")  # encoding 99, of a later version of the contract


@pytest.mark.parametrize("fmt", [OPUS, audio_pb2.AudioFormat(), UNKNOWN])
def test_packets_and_unknown_formats_are_refused_with_what_would_do(fmt: audio_pb2.AudioFormat) -> None:
    for build in (WireDecoder, lambda fmt: WireEncoder(8000, fmt)):
        with pytest.raises(UnsupportedFormatError, match="ask for mulaw, alaw or pcm_s16le"):
            build(fmt)


def test_a_format_without_a_rate_is_refused() -> None:
    with pytest.raises(UnsupportedFormatError, match="no sample rate"):
        WireDecoder(audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_MULAW))


@pytest.mark.parametrize("fmt", [MULAW_8K, ALAW_8K, pcm(8000)])
def test_what_is_written_is_read_back(fmt: audio_pb2.AudioFormat) -> None:
    samples = (0.5 * np.sin(np.arange(800) / 7)).astype(np.float32)
    again = WireDecoder(fmt).decode(WireEncoder(8000, fmt).encode(samples))
    assert again.dtype == np.float32
    np.testing.assert_allclose(again, samples, atol=0.02)


def test_the_telephone_gets_its_own_rate() -> None:
    encoder = WireEncoder(24000, MULAW_8K)
    wire = encoder.encode(np.zeros(4800, dtype=np.float32)) + encoder.flush()
    assert wire == b"\xff" * 1600


@given(payload=st.binary(max_size=400), cuts=st.lists(st.integers(0, 9), max_size=60))
@pytest.mark.parametrize("fmt", [MULAW_8K, pcm(8000), STEREO])
def test_payloads_may_be_cut_anywhere(fmt: audio_pb2.AudioFormat, payload: bytes, cuts: list[int]) -> None:
    whole = WireDecoder(fmt).decode(payload)
    decoder, pieces, rest = WireDecoder(fmt), [], payload
    for cut in cuts:
        pieces.append(decoder.decode(rest[:cut]))
        rest = rest[cut:]
    pieces.append(decoder.decode(rest))
    assert np.array_equal(np.concatenate(pieces), whole)
    assert len(whole) == len(payload) // bytes_per_sample(fmt)


def test_channels_are_averaged() -> None:
    interleaved = np.array([100, 300, -200, 0], dtype="<i2").tobytes()
    np.testing.assert_allclose(WireDecoder(STEREO).decode(interleaved) * 32768, [200, -100])


def test_mono_is_written_to_every_channel() -> None:
    wire = WireEncoder(8000, STEREO).encode(to_float(np.array([7, -7], dtype=np.int16)))
    assert np.frombuffer(wire, dtype="<i2").tolist() == [7, 7, -7, -7]


def test_mulaw_is_decoded_by_the_standard() -> None:
    assert np.array_equal(WireDecoder(MULAW_8K).decode(b"\x00\xff"), to_float(decode_mulaw(b"\x00\xff")))


@given(chunks=st.lists(st.binary(max_size=50), max_size=30), size=st.integers(1, 40))
def test_frames_are_all_of_one_size_and_nothing_is_lost(chunks: list[bytes], size: int) -> None:
    cutter = FrameCutter(size)
    frames = [frame for chunk in chunks for frame in cutter.push(chunk)]
    rest = cutter.flush()
    assert all(len(frame) == size for frame in frames)
    assert len(rest) < size
    assert b"".join(frames) + rest == b"".join(chunks)
    assert cutter.flush() == b""


def test_a_frame_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one byte"):
        FrameCutter(0)
