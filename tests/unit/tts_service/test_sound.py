"""Sound of unknown kind, in pieces of any size: told apart, decoded as it comes, refused when it is none."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from servicekit.audio import encode_mulaw, resample, to_int16
from tests.asyncs import async_test
from tests.fakes.speech_servers import encoded, spoken
from tts_service.sound import NotSoundError, SoundReader, TrailingSilence

RATE_HZ = 24_000
SAID = spoken("It is noon, and all is well.")
THREADS = ThreadPoolExecutor(max_workers=4)


@pytest.fixture(scope="module", autouse=True)
def _threads_end() -> Iterator[None]:
    yield
    THREADS.shutdown(wait=True)


async def read(
    data: bytes, size: int, *, media_type: str = "", raw_rate_hz: int = RATE_HZ
) -> tuple[NDArray[np.float32], SoundReader]:
    """Read bytes in pieces of one size."""
    with SoundReader(RATE_HZ, THREADS, raw_rate_hz=raw_rate_hz) as reader:
        reader.describe(media_type)
        parts = [await reader.feed(data[start : start + size]) for start in range(0, len(data), size)]
        parts.append(await reader.finish())
    return np.concatenate(parts), reader


def likeness(heard: NDArray[np.float32], said: NDArray[np.float32] = SAID) -> float:
    """Highest correlation of two sounds at any shift within 100 ms; 1 is the same."""
    length = min(len(heard), len(said))
    heard, said = heard[:length], said[:length]
    spectrum = np.fft.rfft(heard, 2 * length) * np.conj(np.fft.rfft(said, 2 * length))
    shifts = np.fft.irfft(spectrum)
    reach = RATE_HZ // 10
    best = max(float(shifts[: reach + 1].max()), float(shifts[-reach:].max()))
    return best / float(np.linalg.norm(heard) * np.linalg.norm(said))


@pytest.mark.parametrize(
    ("audio_format", "kind"),
    [("pcm", "raw"), ("wav", "wav"), ("mp3", "mp3"), ("opus", "ogg"), ("flac", "flac"), ("aac", "aac")],
)
@pytest.mark.parametrize("size", [7, 4801, 1 << 20])
def test_every_format_is_told_and_decoded_in_pieces_of_any_size(audio_format: str, kind: str, size: int) -> None:
    @async_test
    async def scenario() -> None:
        heard, reader = await read(encoded(SAID, audio_format), size)
        assert reader.kind == kind
        assert likeness(heard) > 0.95
        assert abs(len(heard) - len(SAID)) < 0.12 * RATE_HZ

    scenario()


def test_sound_comes_before_the_last_byte() -> None:
    @async_test
    async def scenario() -> None:
        for audio_format, seconds in (("pcm", 0.05), ("wav", 0.05), ("mp3", 0.6), ("aac", 1.0)):
            data = encoded(SAID, audio_format)
            share = seconds / (len(SAID) / RATE_HZ)
            with SoundReader(RATE_HZ, THREADS) as reader:
                early = data[: round(share * len(data))]
                parts = [await reader.feed(early[at : at + 200]) for at in range(0, len(early), 200)]
                assert sum(map(len, parts)) > 0, audio_format

    scenario()


def wav(encoding: int, bits: int, channels: int, data: bytes, *, rate_hz: int = RATE_HZ, size: int = -1) -> bytes:
    """A WAV with a title before its sound and another after it."""
    layout = struct.pack("<HHIIHH", encoding, channels, rate_hz, 0, channels * bits // 8, bits)
    title = b"LIST" + struct.pack("<I", 5) + b"title\0"
    length = len(data) if size < 0 else size
    return (
        b"RIFF\xff\xff\xff\xffWAVEfmt " + struct.pack("<I", 16) + layout + title + b"data" + struct.pack("<I", length)
        + data + (title if size < 0 else b"")
    )  # fmt: skip


@pytest.mark.parametrize(
    ("encoding", "bits", "data"),
    [
        (1, 8, (SAID * 127 + 128).astype("u1").tobytes()),
        (1, 24, (SAID * (1 << 31)).astype("<i4").view("u1").reshape(-1, 4)[:, 1:].tobytes()),
        (1, 32, (SAID * (1 << 31)).astype("<i4").tobytes()),
        (3, 32, SAID.astype("<f4").tobytes()),
        (3, 64, SAID.astype("<f8").tobytes()),
        (7, 8, encode_mulaw(to_int16(SAID))),
    ],
)
def test_a_wavs_header_is_believed_and_none_of_it_is_heard(encoding: int, bits: int, data: bytes) -> None:
    @async_test
    async def scenario() -> None:
        heard, _ = await read(wav(encoding, bits, 1, data), 1000)
        assert len(heard) == len(SAID)
        assert likeness(heard) > 0.98

    scenario()


@async_test
async def test_a_wav_that_is_still_being_written_is_read_to_its_end() -> None:
    for size in (0, 0xFFFF_FFFF):
        heard, _ = await read(wav(1, 16, 1, encoded(SAID, "pcm"), size=size), 1000)
        assert len(heard) == len(SAID)


@async_test
async def test_channels_are_mixed_and_other_rates_resampled() -> None:
    at_16k = resample(SAID, RATE_HZ, 16_000)
    said = resample(at_16k, 16_000, RATE_HZ)
    both = np.repeat(to_int16(at_16k), 2).astype("<i2").tobytes()
    heard, _ = await read(wav(1, 16, 2, both, rate_hz=16_000), 999)
    assert len(heard) == pytest.approx(1.5 * len(at_16k), abs=2)
    assert likeness(heard, said) > 0.95
    raw, _ = await read(encoded(at_16k, "pcm", 16_000), 999, raw_rate_hz=16_000)
    assert likeness(raw, said) > 0.95
    mp3, reader = await read(encoded(at_16k, "mp3", 16_000), 999)
    assert reader.source_hz == 16_000
    assert likeness(mp3, said) > 0.95


PAGE = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
NOT_SOUND: list[tuple[str, bytes, str]] = [
    ("a text", PAGE, ""),
    ("a text", PAGE, "audio/mpeg"),
    ("text/html", PAGE, "text/html"),
    ("json", b'{"error": "no"}', "application/json"),
    ("a text", b'{"error": {"message": "model not found", "code": 404}}', "audio/pcm"),
    ("a text", b'\xef\xbb\xbf{"error": {"message": "model not found", "code": 404}}', "audio/pcm"),
    ("text/event-stream", b'data: {"audio": "AAAA"}\n\n' * 4, "text/event-stream"),
    ("film container", b"\x00\x00\x00\x20ftypisom" + bytes(100), "audio/mp4"),
    ("without sound", b"RIFF\xff\xff\xff\xffWAVE" + bytes(80), ""),
    ("0 channels", wav(1, 16, 0, bytes(100)), ""),
    ("at 1 Hz", wav(1, 16, 1, bytes(100), rate_hz=1), ""),
    ("encoding 2", wav(2, 4, 1, bytes(100)), ""),
    ("no numbers", wav(3, 32, 1, np.full(5000, np.nan, "<f4").tobytes()), ""),
    ("decoded as ogg", b"OggS" + bytes(5000), ""),
    ("decoded as mp3", b"ID3\x04\x00\x00\x00\x00\x00\x00" + bytes(5000), ""),
    ("decoded as flac", b"fLaC" + b"\xaa" * 5000, ""),
]


@pytest.mark.parametrize(("reason", "data", "media_type"), NOT_SOUND)
def test_what_is_no_sound_is_refused_and_not_quoted(reason: str, data: bytes, media_type: str) -> None:
    @async_test
    async def scenario() -> None:
        with pytest.raises(NotSoundError, match=reason) as raised:
            await read(data, 700, media_type=media_type)
        assert "nginx" not in str(raised.value)

    scenario()


@async_test
async def test_a_stream_that_is_cut_short_gives_what_it_has() -> None:
    for audio_format in ("mp3", "opus", "flac", "wav", "pcm"):
        data = encoded(SAID, audio_format)
        heard, _ = await read(data[: len(data) * 3 // 4 + 1], 333)
        assert 0.5 * len(SAID) < len(heard) < 0.9 * len(SAID), audio_format


@async_test
async def test_a_reader_that_is_left_in_the_middle_frees_its_thread() -> None:
    one = ThreadPoolExecutor(max_workers=1)
    data = encoded(SAID, "mp3")
    for _ in range(3):
        with SoundReader(RATE_HZ, one) as reader:
            await reader.feed(data[:3000])
    with SoundReader(RATE_HZ, one) as reader:
        await reader.feed(data)
        assert len(await reader.finish()) + 1 > 0
    one.shutdown(wait=True)


def test_silence_at_the_end_is_shortened_and_none_within() -> None:
    quiet = np.zeros(RATE_HZ, np.float32)
    loud = np.full(100, 0.5, np.float32)
    silence = TrailingSilence(RATE_HZ, keep_ms=200)
    given = [silence.process(part) for part in (quiet, loud, quiet, quiet[:7], loud, quiet, quiet)]
    assert [len(part) for part in given] == [0, RATE_HZ + 100, 0, 0, RATE_HZ + 107, 0, 0]
    assert len(silence.flush()) == RATE_HZ // 5
