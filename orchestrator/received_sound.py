"""What a text-to-speech server sends, made into what was asked for: the contract's rules are others' to break."""

from __future__ import annotations

import struct
from typing import Final

from orchestrator.heard import Range, SegmentText
from parley.audio.v1 import audio_pb2
from parley.tts.v1 import tts_pb2
from servicekit.audio import (
    UnsupportedFormatError,
    WireDecoder,
    WireEncoder,
    bytes_per_sample,
    describe,
    same_format,
)
from servicekit.logs import get_logger

log = get_logger(__name__)

# A WAV header is 44 bytes long, with remarks in it some hundreds.
_LONGEST_HEADER: Final = 4096
_WAVE_ENCODINGS: Final = {
    (1, 16): audio_pb2.ENCODING_PCM_S16LE,
    (0xFFFE, 16): audio_pb2.ENCODING_PCM_S16LE,
    (6, 8): audio_pb2.ENCODING_ALAW,
    (7, 8): audio_pb2.ENCODING_MULAW,
}


class UnusableSoundError(Exception):
    """The sound cannot be made into what was asked for; the message tells an operator why."""


class ReceivedSound:
    """The sound of one RPC, payload by payload.

    A WAV header in front of a segment is left out and believed, another rate or encoding is converted, and bytes of
    half a sample wait for the rest of it.
    """

    def __init__(self, asked: audio_pb2.AudioFormat) -> None:
        """``asked`` is the format that every payload is given in."""
        self._asked = asked
        self._width = bytes_per_sample(asked)
        self._decoder: WireDecoder | None = None
        self._encoder: WireEncoder | None = None
        self._sent: audio_pb2.AudioFormat = asked
        self._rest = b""
        self._header = b""
        self._segment = 0

    @property
    def scale(self) -> float:
        """Samples as asked for each sample as sent, for positions in the sound."""
        return self._asked.sample_rate_hz / self._sent.sample_rate_hz

    def ranges(self, alignment: tts_pb2.Alignment, text: SegmentText) -> list[Range]:
        """An alignment in samples as asked for, without what cannot be."""
        length = len(text.spoken)
        return [
            Range(
                r.text_start,
                min(r.text_end, length),
                round(r.start_sample * self.scale),
                round(r.end_sample * self.scale),
            )
            for r in alignment.ranges
            if r.text_start < min(r.text_end, length) and r.start_sample <= r.end_sample
        ]

    def announced(self, fmt: audio_pb2.AudioFormat) -> None:
        """The server says what it will send; nothing said means what was asked.

        Raises:
            UnusableSoundError: it cannot be converted.
        """
        if fmt.encoding == audio_pb2.ENCODING_UNSPECIFIED or same_format(fmt, self._sent):
            return
        log.warning(
            "text to speech sends another format than was asked", asked=describe(self._asked), sent=describe(fmt)
        )
        try:
            self._decoder = WireDecoder(fmt)
            self._encoder = WireEncoder(fmt.sample_rate_hz, self._asked)
        except UnsupportedFormatError as error:
            raise UnusableSoundError(f"text to speech sends {describe(fmt)}, which cannot be used") from error
        self._sent = fmt

    def take(self, segment: int, payload: bytes) -> bytes:
        """Whole samples as asked, perhaps none yet.

        Raises:
            UnusableSoundError: it holds a header of a format that cannot be converted.
        """
        begins = segment != self._segment
        self._segment = segment
        if begins or self._header:
            payload = self._without_header(self._header + payload)
        if self._decoder is not None and self._encoder is not None:
            return self._encoder.encode(self._decoder.decode(payload))
        payload = self._rest + payload
        odd = len(payload) % self._width
        self._rest = payload[len(payload) - odd :]
        return payload[: len(payload) - odd]

    def _without_header(self, payload: bytes) -> bytes:
        """The payload of a segment's beginning; empty while a header in it is not whole."""
        self._header = b""
        if payload[:4] != b"RIFF"[: len(payload)] or payload[8:12] != b"WAVE"[: len(payload[8:12])]:
            return payload
        position = 12
        while position + 8 <= len(payload):
            name, length = payload[position : position + 4], struct.unpack_from("<I", payload, position + 4)[0]
            if name == b"data":
                return payload[position + 8 :]
            if name == b"fmt " and position + 24 <= len(payload):
                self._believe(payload[position + 8 : position + 24])
            position += 8 + length + length % 2
        if len(payload) > _LONGEST_HEADER:
            raise UnusableSoundError("text to speech sends a file's header without end")
        self._header = payload
        return b""

    def _believe(self, chunk: bytes) -> None:
        tag, channels, rate_hz, _, _, bits = struct.unpack("<HHIIHH", chunk)
        encoding = _WAVE_ENCODINGS.get((tag, bits))
        if encoding is None or not 1 <= channels <= 8 or rate_hz < 1:
            raise UnusableSoundError(f"text to speech sends a WAV file of kind {tag} with {bits} bits")
        self.announced(audio_pb2.AudioFormat(encoding=encoding, sample_rate_hz=rate_hz, channels=channels))
