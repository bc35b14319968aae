"""The contracts' audio formats: the usual ones by name, and what can be said about any of them."""

from __future__ import annotations

from typing import Final

from parley.audio.v1 import audio_pb2

MULAW_8K: Final = audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_MULAW, sample_rate_hz=8000, channels=1)
"""The telephone: G.711 μ-law, 8 kHz, mono. A constant; never change it in place."""

_NAMES: Final = {
    audio_pb2.ENCODING_MULAW: "mulaw",
    audio_pb2.ENCODING_ALAW: "alaw",
    audio_pb2.ENCODING_PCM_S16LE: "pcm_s16le",
    audio_pb2.ENCODING_OPUS: "opus",
}
_WIDTHS: Final = {
    audio_pb2.ENCODING_MULAW: 1,
    audio_pb2.ENCODING_ALAW: 1,
    audio_pb2.ENCODING_PCM_S16LE: 2,
}


class UnsupportedFormatError(ValueError):
    """The format is not one that this code reads or writes; the message says which it is and what would do."""


def pcm(rate_hz: int) -> audio_pb2.AudioFormat:
    """Signed 16-bit little-endian mono PCM at ``rate_hz``."""
    return audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_PCM_S16LE, sample_rate_hz=rate_hz, channels=1)


def channels_of(fmt: audio_pb2.AudioFormat) -> int:
    """Number of interleaved channels; a peer that left the field unset means one."""
    return fmt.channels or 1


def same_format(a: audio_pb2.AudioFormat, b: audio_pb2.AudioFormat) -> bool:
    """Whether bytes of one can be used as bytes of the other."""
    return (a.encoding, a.sample_rate_hz, channels_of(a)) == (b.encoding, b.sample_rate_hz, channels_of(b))


def describe(fmt: audio_pb2.AudioFormat) -> str:
    """Name a format for people, such as ``mulaw 8000 Hz mono``."""
    name = _NAMES.get(fmt.encoding, f"encoding {int(fmt.encoding)}")
    channels = channels_of(fmt)
    return f"{name} {fmt.sample_rate_hz} Hz {'mono' if channels == 1 else f'{channels} channels'}"


def bytes_per_sample(fmt: audio_pb2.AudioFormat) -> int:
    """Bytes that one instant of sound takes, all channels together; UnsupportedFormatError for packets such as Opus."""
    width = _WIDTHS.get(fmt.encoding)
    if width is None:
        raise UnsupportedFormatError(f"{describe(fmt)} has no fixed number of bytes per sample; {_instead()}")
    return width * channels_of(fmt)


def seconds_of(fmt: audio_pb2.AudioFormat, n_bytes: int) -> float:
    """How long ``n_bytes`` of the format sound, in seconds; UnsupportedFormatError for packets or without a rate."""
    width = bytes_per_sample(fmt)
    if fmt.sample_rate_hz == 0:
        raise UnsupportedFormatError(f"{describe(fmt)} names no sample rate")
    return n_bytes / (width * fmt.sample_rate_hz)


def require_samples(fmt: audio_pb2.AudioFormat) -> None:
    """Raise UnsupportedFormatError unless the format is plain samples at a stated rate."""
    seconds_of(fmt, 0)


def _instead() -> str:
    return "ask for mulaw, alaw or pcm_s16le instead"
