"""G.711 against the standard's own arithmetic: decoded values, decoded error, silence."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from servicekit.audio import decode_alaw, decode_mulaw, encode_alaw, encode_mulaw

Decode = Callable[[bytes], NDArray[np.int16]]
Encode = Callable[[NDArray[np.int16]], bytes]

EVERY_BYTE = bytes(range(256))
EVERY_SAMPLE = np.arange(-32768, 32768).astype(np.int16)
LAWS = pytest.mark.parametrize(("encode", "decode"), [(encode_mulaw, decode_mulaw), (encode_alaw, decode_alaw)])


def test_mulaw_decodes_the_values_of_the_standard() -> None:
    decoded = decode_mulaw(EVERY_BYTE)
    # Ends and segment edges of G.711 table 2, on the 16-bit scale (the standard's 14-bit values times four).
    known = {0x00: -32124, 0x0F: -16764, 0x10: -15996, 0x70: -120, 0x7E: -8, 0x7F: 0, 0x80: 32124, 0xEF: 132, 0xFF: 0}
    assert {code: int(decoded[code]) for code in known} == known


def test_alaw_decodes_the_values_of_the_standard() -> None:
    decoded = decode_alaw(EVERY_BYTE)
    known = {0xD5: 8, 0x55: -8, 0xD4: 24, 0x2A: -32256, 0xAA: 32256, 0x80: 5504, 0x00: -5504}
    assert {code: int(decoded[code]) for code in known} == known


@LAWS
def test_every_code_but_negative_zero_comes_back_as_itself(encode: Encode, decode: Decode) -> None:
    again = np.frombuffer(encode(decode(EVERY_BYTE)), dtype=np.uint8)
    changed = {code for code in range(256) if again[code] != code}
    assert changed <= {0x7F}, "only the second of the two zeros of mu-law may become the first"


@LAWS
def test_the_error_is_at_most_half_a_step(encode: Encode, decode: Decode) -> None:
    decoded = decode(encode(EVERY_SAMPLE)).astype(np.int64)
    error = np.abs(decoded - EVERY_SAMPLE)
    unclipped = np.abs(EVERY_SAMPLE.astype(np.int64)) <= 32635
    # Steps double from segment to segment: 8 to 1024 on the 16-bit scale for mu-law, 16 to 1024 for A-law.
    allowed = np.maximum(np.abs(decoded) / 32 + 4, 8)
    assert np.all(error[unclipped] <= allowed[unclipped])
    assert error.max() <= 644


@LAWS
def test_louder_stays_louder(encode: Encode, decode: Decode) -> None:
    assert np.all(np.diff(decode(encode(EVERY_SAMPLE)).astype(np.int32)) >= 0)


def test_silence_is_the_silence_of_the_line() -> None:
    nothing = np.zeros(3, dtype=np.int16)
    assert encode_mulaw(nothing) == b"\xff\xff\xff"
    assert encode_alaw(nothing) == b"\xd5\xd5\xd5"


@LAWS
def test_no_samples_are_no_bytes(encode: Encode, decode: Decode) -> None:
    assert encode(np.zeros(0, dtype=np.int16)) == b""
    assert decode(b"").shape == (0,)


def test_samples_need_not_lie_side_by_side() -> None:
    every_other = EVERY_SAMPLE[::2]
    assert encode_mulaw(every_other) == encode_mulaw(every_other.copy())
