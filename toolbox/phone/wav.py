"""WAV files: read what a gateway may serve to `<Play>`, write recordings and the two sides of a call."""

from __future__ import annotations

import io
import struct
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from servicekit.audio import decode_alaw, decode_mulaw, encode_mulaw, resample, to_float, to_int16
from toolbox.phone.knobs import SAMPLE_RATE_HZ

_PCM, _ALAW, _MULAW, _EXTENSIBLE = 1, 6, 7, 0xFFFE


class WavError(ValueError):
    """Not a WAV file this line can play."""


def read_wav(data: bytes) -> tuple[NDArray[np.float32], int]:
    """Read 16-bit PCM, A-law or μ-law with any number of channels (mixed down).

    Returns:
        Mono float32 [n] and the sample rate in Hz.

    Raises:
        WavError: Anything else.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise WavError("no RIFF/WAVE header")
    at, layout, body = 12, None, None
    while at + 8 <= len(data) and body is None:
        name, size = struct.unpack_from("<4sI", data, at)
        chunk = data[at + 8 : at + 8 + size]
        if name == b"fmt " and len(chunk) >= 16:
            layout = struct.unpack_from("<HHIIHH", chunk)
            if layout[0] == _EXTENSIBLE and len(chunk) >= 26:
                layout = (struct.unpack_from("<H", chunk, 24)[0], *layout[1:])
        elif name == b"data":
            body = chunk
        at += 8 + size + size % 2
    if layout is None or body is None:
        raise WavError("no fmt or data chunk")
    kind, channels, rate, _, _, bits = layout
    if channels < 1 or not 4000 <= rate <= 192_000:
        raise WavError("implausible channels or sample rate")
    if kind == _PCM and bits == 16:
        samples = np.frombuffer(body[: len(body) // 2 * 2], "<i2").astype(np.int16)
    elif kind == _MULAW:
        samples = decode_mulaw(body)
    elif kind == _ALAW:
        samples = decode_alaw(body)
    else:
        raise WavError(f"unsupported encoding {kind} with {bits} bits")
    mixed = to_float(samples[: samples.size // channels * channels]).reshape(-1, channels).mean(axis=1)
    return np.asarray(mixed, np.float32), int(rate)


def wav_to_mulaw(data: bytes) -> bytes:
    """The μ-law 8 kHz audio of a WAV file."""
    samples, rate = read_wav(data)
    return encode_mulaw(to_int16(samples if rate == SAMPLE_RATE_HZ else resample(samples, rate, SAMPLE_RATE_HZ)))


def mix(one: bytes, other: bytes) -> bytes:
    """Two μ-law channels of equal length as one."""
    return encode_mulaw(to_int16(to_float(decode_mulaw(one)) + to_float(decode_mulaw(other))))


def mulaw_to_wav(*channels: bytes) -> bytes:
    """A 16-bit PCM WAV at 8 kHz of one or more μ-law channels of equal length."""
    samples = np.stack([decode_mulaw(channel) for channel in channels], axis=1)
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(samples.astype("<i2").tobytes())
    return out.getvalue()


def write_wav(path: Path, *channels: bytes) -> None:
    """Write μ-law channels as one WAV file."""
    path.write_bytes(mulaw_to_wav(*channels))
