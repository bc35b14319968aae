"""A speech server as an engine: one request for each stretch of text, heard as it comes."""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from servicekit.logs import get_logger
from tts_service.openai_compatible.client import Question, SpeechClient
from tts_service.openai_compatible.trial import Found, Heard, find_format, find_model, find_voices
from tts_service.openai_compatible.voices import ServerVoices, catalogue
from tts_service.settings import TtsSettings
from tts_service.sound import (
    SLICE_BYTES,
    NotSoundError,
    PlausibleLength,
    SoundReader,
    StreamedSpeech,
    TrailingSilence,
)
from tts_service.speech import EngineError, EngineInfo, Passage, SpeechChunk
from tts_service.text import pieces, speakable

RATE_HZ = 24_000
"""What nearly every such server's model works at, and OpenAI's headerless format."""

_PAUSE_AFTER_MS = 220
_SLOWEST, _FASTEST = 0.25, 4.0

_log = get_logger(__name__)


class OpenAiCompatibleEngine:
    """Any server with OpenAI's `/v1/audio/speech`; see `speech.Engine`."""

    def __init__(self, settings: TtsSettings) -> None:
        """Prepare; `open` asks the server."""
        own = settings.openai
        self._settings = settings
        self._own = own
        self._lookahead_samples = RATE_HZ * settings.lookahead_ms // 1000
        self._client = SpeechClient(own)
        # One more than requests: the thread of one that was broken off may still be ending.
        self._decoding = ThreadPoolExecutor(max_workers=own.max_requests + 1, thread_name_prefix="decoding")
        self._found = Found("pcm", "raw", own.pcm_rate_hz)
        self._voices: ServerVoices | None = None
        self._guessed = False

    @property
    def info(self) -> EngineInfo:
        """What it is."""
        own = self._own
        limitations = [f"Each text is sent to the speech server at {own.where}, which answers when it can."]
        if not _is_near(own.base_url):
            limitations.append("That server is not on this machine: what is said leaves it.")
        limitations.append("No alignments: where a reply was interrupted is estimated from how long it had sounded.")
        if self._found.kind != "raw":
            limitations.append(f"It sends {self._found.audio_format}, which is decoded here; pcm would be sooner.")
        if self._guessed:
            limitations.append(
                "It does not say which languages its voices speak: those are taken to speak "
                f"{self._settings.language}, unless tts.openai.voices says otherwise."
            )
        return EngineInfo(
            name="openai",
            version=f"httpx {importlib.metadata.version('httpx')}",
            model=f"{self._client.model or 'the model'} at {own.where}",
            sample_rate_hz=RATE_HZ,
            capacity=own.max_requests,
            alignments=False,
            limitations=tuple(limitations),
        )

    @property
    def voices(self) -> ServerVoices:
        """The server's voices; once it is open."""
        assert self._voices is not None, "open() comes first"
        return self._voices

    async def open(self) -> None:
        """Ask the server for its voices and have it say two words. Raises StartupError and what a catalogue raises."""
        started = time.monotonic()
        settings, own = self._settings, self._own
        try:
            listed = await find_voices(self._client, own)
            self._voices, self._guessed = catalogue(
                listed, own.voices, default_language=settings.language, default_voice=settings.voice
            )
            self._client.model = await find_model(self._client, own)
            self._found = await find_format(self._heard, own, self._voices.default.name, settings.speed)
        except BaseException:
            await self.close()
            raise
        _log.info(
            "the speech server answers",
            server=own.where,
            model=self._client.model,
            audio_format=self._found.audio_format,
            voices=len(listed),
            seconds=round(time.monotonic() - started, 2),
        )

    async def warm_up(self) -> None:
        """Nothing more: the trial has warmed it."""

    async def close(self) -> None:
        """Close the connections and let the threads go."""
        await self._client.close()
        self._decoding.shutdown(wait=False, cancel_futures=True)

    def speak(self, passage: Passage) -> StreamedSpeech:
        """Begin to speak a passage."""
        return StreamedSpeech(self._chunks(passage), lookahead_samples=self._lookahead_samples)

    async def _chunks(self, passage: Passage) -> AsyncGenerator[SpeechChunk, None]:
        speed = min(max(self._settings.speed * passage.speed, _SLOWEST), _FASTEST)
        for piece in pieces(speakable(passage.text).text, self._own.piece_characters):
            question = Question(piece.text.strip(), passage.voice.name, self._found.audio_format, speed)
            silence = TrailingSilence(RATE_HZ, _PAUSE_AFTER_MS)
            reader = self._reader(self._found.pcm_rate_hz)
            async with aclosing(self._sound(question, reader)) as sound:
                async for samples in sound:
                    if len(heard := silence.process(samples)):
                        yield SpeechChunk(heard)
            if len(rest := silence.flush()):
                yield SpeechChunk(rest)

    async def _sound(self, question: Question, reader: SoundReader) -> AsyncGenerator[NDArray[np.float32], None]:
        """The samples of one request as they come. Raises EngineError."""
        length = PlausibleLength(question.text, question.speed, RATE_HZ)
        with reader:
            async with aclosing(self._client.speech(question)) as parts:
                try:
                    async for part in parts:
                        reader.describe(part.media_type, part.rate_hz)
                        for start in range(0, len(part.data), SLICE_BYTES):
                            samples = length.take(await reader.feed(part.data[start : start + SLICE_BYTES]))
                            if len(samples):
                                yield samples
                    samples = length.take(await reader.finish())
                    length.end()
                except NotSoundError as error:
                    raise EngineError(
                        f"the speech server at {self._own.where} sent no usable answer: {error}"
                    ) from error
        if len(samples):
            yield samples

    def _reader(self, raw_rate_hz: int) -> SoundReader:
        return SoundReader(RATE_HZ, self._decoding, raw_rate_hz=raw_rate_hz)

    async def _heard(self, question: Question, raw_rate_hz: int) -> Heard:
        """A whole answer, for the trial."""
        reader = self._reader(raw_rate_hz)
        async with aclosing(self._sound(question, reader)) as sound:
            samples = [part async for part in sound]
        return Heard(np.concatenate([np.zeros(0, dtype=np.float32), *samples]), reader.kind or "raw", reader.source_hz)


def _is_near(base_url: str) -> bool:
    return urlsplit(base_url).hostname in {"localhost", "127.0.0.1", "::1"}
