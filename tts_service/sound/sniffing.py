"""Telling from its first bytes what was really sent: servers answer with MP3 under any name, and with web pages."""

from __future__ import annotations

from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["raw", "wav", "mp3", "ogg", "flac", "aac"]

HEAD_BYTES = 64
"""How many first bytes are looked at, where there are as many."""

_PRINTABLE = frozenset(range(0x20, 0x7F)) | {0x09, 0x0A, 0x0D}
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class NotSoundError(Exception):
    """It is no sound, or none that can be read; the message says why, and holds nothing of it."""


def kind_of(head: bytes, media_type: str) -> Kind:
    """What begins so; "raw" where nothing speaks against samples without a header.

    Args:
        head: The first :data:`HEAD_BYTES` bytes, or all where there are less.
        media_type: As the server said, lower case, without parameters; empty where it did not.

    Raises:
        NotSoundError: It is a text, or a container that is none of sound.
    """
    if head.startswith(b"RIFF") and head[8:12] == b"WAVE":
        return "wav"
    if head.startswith(b"OggS"):
        return "ogg"
    if head.startswith(b"fLaC"):
        return "flac"
    if head.startswith(b"ID3"):
        return "mp3"
    if media_type.startswith("text/") or media_type.endswith(("json", "html", "xml")):
        raise NotSoundError(f"it is {media_type}")
    # Half of all sounding speech is below zero, so samples hold bytes that no text has.
    text = head.removeprefix(_BYTE_ORDER_MARK)
    if len(text) >= HEAD_BYTES // 4 and all(byte in _PRINTABLE for byte in text):
        raise NotSoundError("it is a text")
    if head[4:8] == b"ftyp" or head.startswith(b"\x1a\x45\xdf\xa3"):
        raise NotSoundError("it is a film container (MP4 or WebM)")
    if len(head) >= 4 and head[0] == 0xFF and _is_mpeg(head):
        return "aac" if head[1] & 0x06 == 0 else "mp3"
    return "raw"


def _is_mpeg(head: bytes) -> bool:
    """Whether an MPEG audio or ADTS frame header stands here; loud samples may look like its first byte."""
    if head[1] & 0xE0 != 0xE0:
        return False
    if head[1] & 0xF6 == 0xF0:  # ADTS
        return (head[2] >> 2) & 0x0F < 13
    version, layer = (head[1] >> 3) & 3, (head[1] >> 1) & 3
    bit_rate, rate = head[2] >> 4, (head[2] >> 2) & 3
    return version != 1 and layer == 1 and bit_rate not in {0, 15} and rate != 3
