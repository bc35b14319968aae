"""From segments' sound to a reply's messages: lengths, numbering, positions in the client's text. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from parley.audio.v1 import audio_pb2
from parley.tts.v1 import tts_pb2
from servicekit.audio import bytes_per_sample, same_format
from tts_service.cache import CachedRange, CachedSegment
from tts_service.segment_sound import SegmentSound
from tts_service.speech import SpeechChunk
from tts_service.text import SpeakableText

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


def is_delivered(wanted: audio_pb2.AudioFormat) -> bool:
    """Whether a format is among :data:`FORMATS`."""
    return any(same_format(wanted, offered) for offered in FORMATS)


class ReplyDelivery:
    """One reply as the messages of the contract: its audio is its segments', one after the other."""

    def __init__(
        self,
        fmt: audio_pb2.AudioFormat,
        *,
        alignments: bool,
        message_ms: int,
        first_message_ms: int,
    ) -> None:
        """`fmt` is one of :data:`FORMATS`; messages are at most so long."""
        self.format = fmt
        self._rate_hz = fmt.sample_rate_hz
        self._width = bytes_per_sample(fmt)
        self._alignments = alignments
        self._message_bytes = self._rate_hz * message_ms // 1000 * self._width
        self._first_message_bytes = self._rate_hz * first_message_ms // 1000 * self._width
        self._seq = 0
        self._sent = 0  # samples
        self._segment = 0
        self._segment_sent = 0
        self._text = SpeakableText("", (), 0)

    @property
    def samples_sent(self) -> int:
        """Samples sent up to now."""
        return self._sent

    @property
    def seconds_sent(self) -> float:
        """Length of the audio sent up to now."""
        return self._sent / self._rate_hz

    def begin(self, segment: int, text: SpeakableText) -> None:
        """A segment begins; `text` is what is spoken of it, and where in the client's text that stands."""
        self._segment = segment
        self._segment_sent = self._sent
        self._text = text

    def chunk(self, sound: SegmentSound, chunk: SpeechChunk) -> Iterator[tts_pb2.SynthesizeResponse]:
        """The segment goes on: its next audio messages, then the alignments that they complete."""
        yield from self._audio(sound.add(chunk), cached=False)
        yield from self._alignment(sound.words())

    def rest(self, sound: SegmentSound) -> Iterator[tts_pb2.SynthesizeResponse]:
        """The segment was spoken to its end: what is left of it."""
        yield from self._audio(sound.end(), cached=False)
        yield from self._alignment(sound.words())

    def kept(self, segment: CachedSegment) -> Iterator[tts_pb2.SynthesizeResponse]:
        """The whole segment from the cache; its first audio goes before anything else."""
        for index, message in enumerate(self._audio(segment.payload, cached=True)):
            yield message
            if index == 0:
                yield from self._alignment(segment.ranges)

    def done(self) -> tts_pb2.SynthesizeResponse:
        """The segment is complete."""
        samples = self._sent - self._segment_sent
        return tts_pb2.SynthesizeResponse(
            segment_done=tts_pb2.SegmentDone(segment=self._segment, samples=samples, silent=samples == 0)
        )

    def finished(self) -> tts_pb2.SynthesizeResponse:
        """The reply is complete."""
        message = tts_pb2.SynthesizeResponse()
        message.finished.duration.FromNanoseconds(self._sent * 1_000_000_000 // self._rate_hz)
        return message

    def _audio(self, payload: bytes, *, cached: bool) -> Iterator[tts_pb2.SynthesizeResponse]:
        start = 0
        while start < len(payload):
            length = self._message_bytes if self._seq else self._first_message_bytes
            part = payload[start : start + length]
            start += length
            self._seq += 1
            self._sent += len(part) // self._width
            yield tts_pb2.SynthesizeResponse(
                audio=tts_pb2.Audio(segment=self._segment, seq=self._seq, payload=part, cached=cached),
            )

    def _alignment(self, words: Sequence[CachedRange]) -> Iterator[tts_pb2.SynthesizeResponse]:
        if not words or not self._alignments:
            return
        ranges = []
        for word in words:
            if word.text_end <= len(self._text.text):
                start, end = self._text.original_range(word.text_start, word.text_end)
                ranges.append(
                    tts_pb2.AlignedRange(
                        text_start=start, text_end=end, start_sample=word.start_sample, end_sample=word.end_sample
                    )
                )
        if ranges:
            yield tts_pb2.SynthesizeResponse(alignment=tts_pb2.Alignment(segment=self._segment, ranges=ranges))
