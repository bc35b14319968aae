"""From an engine's chunks to a reply's messages: trimming, the wire's format, numbering, alignments. Does no I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from parley.audio.v1 import audio_pb2
from parley.tts.v1 import tts_pb2
from servicekit.audio import WireEncoder, bytes_per_sample, same_format
from tts_service.edges import LeadingSilence
from tts_service.speech import SpeechChunk, WordSpan

_G711_RATE_HZ = 8000
_PCM_RATES_HZ = (8000, 16000, 24000, 48000)

FORMATS: tuple[audio_pb2.AudioFormat, ...] = (
    audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_MULAW, sample_rate_hz=_G711_RATE_HZ, channels=1),
    audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_ALAW, sample_rate_hz=_G711_RATE_HZ, channels=1),
    *(
        audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_PCM_S16LE, sample_rate_hz=rate, channels=1)
        for rate in _PCM_RATES_HZ
    ),
)
"""What every engine's speech is delivered in."""

_QUIETEST = np.float32(-1.0)
_LOUDEST = np.float32(np.nextafter(np.float32(1.0), np.float32(0.0)))


def is_delivered(wanted: audio_pb2.AudioFormat) -> bool:
    """Whether a format is among :data:`FORMATS`."""
    return any(same_format(wanted, offered) for offered in FORMATS)


class ReplyDelivery:
    """One reply's audio, contiguous across its segments, as the messages of the contract.

    One encoder lives as long as the reply, so nothing clicks where segments meet; the resampler's last millisecond of a
    segment therefore comes with the next one, and is counted there. Silence before the reply's first sound is dropped.
    """

    def __init__(
        self,
        source_hz: int,
        fmt: audio_pb2.AudioFormat,
        *,
        alignments: bool,
        message_ms: int,
        first_message_ms: int,
    ) -> None:
        """`source_hz` is the engine's rate; `fmt` one of :data:`FORMATS`; messages are at most so long."""
        self._source_hz = source_hz
        self._rate_hz = fmt.sample_rate_hz
        self._encoder = WireEncoder(source_hz, fmt)
        self._width = bytes_per_sample(fmt)
        self._alignments = alignments
        self._message_bytes = self._rate_hz * message_ms // 1000 * self._width
        self._first_message_bytes = self._rate_hz * first_message_ms // 1000 * self._width
        self._silence = LeadingSilence(source_hz)
        self._seq = 0
        self._taken = 0  # samples given to the encoder, at the engine's rate
        self._sent = 0  # samples sent, at the wire's rate
        self._segment = 0
        self._segment_taken = 0
        self._segment_sent = 0
        self._segment_dropped = 0
        self._waiting: deque[tts_pb2.AlignedRange] = deque()
        self._aligned_text = 0
        self._aligned_sample = 0

    @property
    def samples_sent(self) -> int:
        """Samples sent up to now, at the wire's rate."""
        return self._sent

    @property
    def seconds_sent(self) -> float:
        """Length of the audio sent up to now."""
        return self._sent / self._rate_hz

    def begin(self, segment: int) -> None:
        """A segment begins."""
        self._segment = segment
        self._segment_taken = self._taken
        self._segment_sent = self._sent
        self._segment_dropped = self._silence.dropped
        self._aligned_text = 0
        self._aligned_sample = 0

    def chunk(self, chunk: SpeechChunk) -> Iterator[tts_pb2.SynthesizeResponse]:
        """The segment goes on: its next audio messages, then the alignments that they complete."""
        yield from self._audio(self._encode(self._silence.trim(_clean(chunk.samples))))
        for word in chunk.words:
            self._align(word)
        yield from self._alignment(self._sent - self._segment_sent)

    def end(self, *, last: bool) -> Iterator[tts_pb2.SynthesizeResponse]:
        """The segment is complete; `last` when no other will follow, which brings out what the resampler holds."""
        held = self._silence.release()
        payload = self._encode(held) + (self._encoder.flush() if last else b"")
        yield from self._audio(payload)
        samples = self._sent - self._segment_sent
        for waiting in self._waiting:
            waiting.start_sample = min(waiting.start_sample, samples)
            waiting.end_sample = min(waiting.end_sample, samples)
        yield from self._alignment(samples)
        self._waiting.clear()
        yield tts_pb2.SynthesizeResponse(
            segment_done=tts_pb2.SegmentDone(segment=self._segment, samples=samples, silent=samples == 0)
        )

    def finished(self) -> tts_pb2.SynthesizeResponse:
        """The reply is complete."""
        message = tts_pb2.SynthesizeResponse()
        message.finished.duration.FromNanoseconds(self._sent * 1_000_000_000 // self._rate_hz)
        return message

    def _encode(self, samples: NDArray[np.float32]) -> bytes:
        self._taken += len(samples)
        return self._encoder.encode(samples) if len(samples) else b""

    def _audio(self, payload: bytes) -> Iterator[tts_pb2.SynthesizeResponse]:
        start = 0
        while start < len(payload):
            length = self._message_bytes if self._seq else self._first_message_bytes
            part = payload[start : start + length]
            start += length
            self._seq += 1
            self._sent += len(part) // self._width
            yield tts_pb2.SynthesizeResponse(
                audio=tts_pb2.Audio(segment=self._segment, seq=self._seq, payload=part),
            )

    def _align(self, word: WordSpan) -> None:
        if not self._alignments:
            return
        start = max(self._aligned_sample, self._wire_position(word.start_sample))
        end = self._wire_position(word.end_sample)
        if word.text_start < self._aligned_text or word.text_end <= word.text_start or end <= start:
            return  # an engine's slip: a range that goes back would break the contract, one word less does not
        self._aligned_text, self._aligned_sample = word.text_end, end
        self._waiting.append(
            tts_pb2.AlignedRange(text_start=word.text_start, text_end=word.text_end, start_sample=start, end_sample=end)
        )

    def _wire_position(self, passage_sample: int) -> int:
        """From samples since the passage's start at the engine's rate to samples since the segment's at the wire's."""
        dropped = self._silence.dropped - self._segment_dropped
        absolute = self._segment_taken + max(0, passage_sample - dropped)
        return max(0, round(absolute * self._rate_hz / self._source_hz) - self._segment_sent)

    def _alignment(self, samples: int) -> Iterator[tts_pb2.SynthesizeResponse]:
        ranges = []
        while self._waiting and self._waiting[0].end_sample <= samples:
            ready = self._waiting.popleft()
            if ready.start_sample < ready.end_sample:
                ranges.append(ready)
        if ranges:
            yield tts_pb2.SynthesizeResponse(alignment=tts_pb2.Alignment(segment=self._segment, ranges=ranges))


def _clean(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """What an engine gave, without NaN and clipped: one bad sample must not become a bang on the line."""
    # One pass over good sound: a comparison with NaN is false.
    if len(samples) and not np.abs(samples).max() <= 1.0:
        return np.clip(np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0), _QUIETEST, _LOUDEST)
    return samples
