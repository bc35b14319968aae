"""Microsoft's cloud as an engine: one request for each stretch of text, heard as it comes."""

from __future__ import annotations

import importlib.metadata
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any

import numpy as np

from servicekit.logs import get_logger
from servicekit.startup import StartupError
from tts_service.edge import cloud
from tts_service.edge.cloud import Question
from tts_service.edge.words import WordTrack
from tts_service.settings import TtsSettings
from tts_service.sound import NotSoundError, PlausibleLength, SoundReader, StreamedSpeech, TrailingSilence
from tts_service.speech import EngineError, EngineInfo, Passage, SpeechChunk, WordSpan
from tts_service.text import Piece, SpeakableText, pieces, speakable
from tts_service.voices import Gender, Voice, VoiceCatalogue

RATE_HZ = 24_000
"""Of the MP3 that the cloud sends."""

CLOUD = (
    "Every text that is spoken is sent to Microsoft's cloud, by the interface of the Edge browser, which Microsoft may "
    "change or close at any time."
)
_PAUSE_AFTER_MS = 220
_SLOWEST, _FASTEST = 0.5, 2.0
_BEST = ("en-US-EmmaMultilingualNeural", "en-US-AvaMultilingualNeural", "de-DE-SeraphinaMultilingualNeural")
_GENDERS: dict[str, Gender] = {"Female": "female", "Male": "male"}

_log = get_logger(__name__)


class EdgeEngine:
    """Speaks with the voices of Microsoft Edge; see `speech.Engine`."""

    def __init__(self, settings: TtsSettings) -> None:
        """Prepare; `open` asks the cloud."""
        own = settings.edge
        self._settings = settings
        self._own = own
        self._lookahead_samples = RATE_HZ * settings.lookahead_ms // 1000
        self._decoding = ThreadPoolExecutor(max_workers=own.max_requests + 1, thread_name_prefix="decoding")
        self._voices: VoiceCatalogue | None = None
        self.info = EngineInfo(
            name="edge-tts",
            version=importlib.metadata.version("edge-tts"),
            model="Microsoft Edge Read Aloud (cloud)",
            sample_rate_hz=RATE_HZ,
            capacity=own.max_requests,
            alignments=True,
            limitations=(CLOUD, "Without the internet it says nothing; tts.fallback names who stands in then."),
        )

    @property
    def voices(self) -> VoiceCatalogue:
        """The cloud's voices; once it is open."""
        assert self._voices is not None, "open() comes first"
        return self._voices

    async def open(self) -> None:
        """List the voices and have two words said. Raises StartupError and what a catalogue raises."""
        _log.warning(CLOUD)
        settings = self._settings
        try:
            listed = await cloud.voices(self._own)
            self._voices = VoiceCatalogue(
                _catalogue(listed), default_language=settings.language, default_voice=settings.voice
            )
            default = self._voices.default
            trial = Passage("One moment.", default, default.tags[0], 1.0)
            async with aclosing(self._chunks(trial)) as chunks:
                async for _ in chunks:
                    pass
        except EngineError as error:
            await self.close()
            raise StartupError(f'tts.engine is "edge-tts", but it does not speak: {error}') from error
        except BaseException:
            await self.close()
            raise

    async def warm_up(self) -> None:
        """Nothing more: there is nothing here to be warmed."""

    async def close(self) -> None:
        """Let the threads go."""
        self._decoding.shutdown(wait=False, cancel_futures=True)

    def speak(self, passage: Passage) -> StreamedSpeech:
        """Begin to speak a passage."""
        return StreamedSpeech(self._chunks(passage), lookahead_samples=self._lookahead_samples)

    async def _chunks(self, passage: Passage) -> AsyncGenerator[SpeechChunk, None]:
        speed = min(max(self._settings.speed * passage.speed, _SLOWEST), _FASTEST)
        text = speakable(passage.text)
        origin = 0
        for piece in pieces(text.text, self._own.piece_characters):
            async with aclosing(self._piece(Question(piece.text, passage.voice.name, speed))) as chunks:
                length = 0
                async for chunk in chunks:
                    length += len(chunk.samples)
                    yield SpeechChunk(chunk.samples, tuple(_placed(chunk.words, text, piece, origin)))
            origin += length

    async def _piece(self, question: Question) -> AsyncGenerator[SpeechChunk, None]:
        """One request's sound and words, which count from its start. Raises EngineError."""
        track, silence = WordTrack(question.text, RATE_HZ), TrailingSilence(RATE_HZ, _PAUSE_AFTER_MS)
        length = PlausibleLength(question.text, question.speed, RATE_HZ)
        sent = 0
        try:
            with SoundReader(RATE_HZ, self._decoding) as reader:
                reader.describe("audio/mpeg")
                async with aclosing(cloud.speech(question, self._own)) as received:
                    async for message in received:
                        if message["type"] != "audio":
                            track.add(message["text"], message["offset"], message["duration"])
                            continue
                        heard = silence.process(length.take(await reader.feed(message["data"])))
                        sent += len(heard)
                        if len(heard):
                            yield SpeechChunk(heard, tuple(track.until(sent)))
                    heard = silence.process(length.take(await reader.finish()))
                    length.end()
        except NotSoundError as error:
            raise EngineError(f"Microsoft's cloud sent no usable answer: {error}") from error
        heard = np.concatenate([heard, silence.flush()])
        sent += len(heard)
        yield SpeechChunk(heard, tuple(track.finish(sent)))


def _placed(words: Sequence[WordSpan], text: SpeakableText, piece: Piece, origin: int) -> list[WordSpan]:
    """Words of a request in the positions of its passage."""
    return [
        WordSpan(
            *text.original_range(piece.start + word.text_start, piece.start + word.text_end),
            origin + word.start_sample,
            origin + word.end_sample,
        )
        for word in words
    ]


def _catalogue(listed: Sequence[dict[str, Any]]) -> list[Voice]:
    """The voices that are not withdrawn, those that many like best first."""
    voices = []
    for voice in listed:
        name, locale = voice.get("ShortName"), voice.get("Locale")
        if not isinstance(name, str) or not isinstance(locale, str) or voice.get("Status") == "Deprecated":
            continue
        friendly = name.rsplit("-", 1)[-1].removesuffix("Neural").replace("Multilingual", "")
        gender = _GENDERS.get(str(voice.get("Gender")), "")
        voices.append(Voice(name, ((locale, 1),), f"Edge {friendly} ({locale})", gender))
    voices.sort(key=lambda voice: (voice.name not in _BEST, voice.name))
    if not voices:
        raise StartupError('tts.engine is "edge-tts", but Microsoft\'s cloud lists no voice')
    return voices
