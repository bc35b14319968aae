"""The embedded engine: eSpeak NG behind the engine seam."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from tts_service import espeak
from tts_service.espeak.catalogue import list_variants, list_voices
from tts_service.espeak.library import SAMPLE_RATE_HZ
from tts_service.espeak.synthesis import EspeakChunk, speak
from tts_service.espeak.words import WordTrack
from tts_service.settings import EspeakSettings, TtsSettings
from tts_service.speech import EngineInfo, Passage, SpeechChunk, WordSpan
from tts_service.text import Piece, SpeakableText, pieces, speakable
from tts_service.threaded import Outlet, Step, ThreadedSpeech
from tts_service.voices import Voice, VoiceCatalogue, VoiceUnknownError

CAPACITY = 64
"""Replies at once: a burst of 20 waits some 60 ms for the one lock, so more than this would be heard."""

_BATCH_SAMPLES = SAMPLE_RATE_HZ // 5  # after the first buffer, tell the event loop five times a second of speech

LIMITATIONS = (
    "The voice is synthetic by rule and sounds robotic; it is made to be understood, small and instant.",
    "One text is spoken at a time in the process; concurrent replies take turns clause by clause.",
    "Japanese is read in kana only and Chinese tones are approximate.",
)


class EspeakCatalogue(VoiceCatalogue):
    """eSpeak NG's voices; a name may carry a variant of timbre after a plus sign, as in "en+f3"."""

    def named(self, name: str) -> Voice:
        """The voice, or the voice with its variant; raises VoiceUnknownError."""
        base, plus, variant = name.partition("+")
        voice = super().named(base)
        if not plus:
            return voice
        known = {known.lower(): known for known in list_variants()}
        if variant.lower() not in known:
            raise VoiceUnknownError(f"voice {base[:60]!r} has no variant {variant[:60]!r}")
        spelled = known[variant.lower()]
        return Voice(f"{voice.name}+{spelled}", voice.languages, f"{voice.display_name} ({spelled})")


class EspeakEngine:
    """Speaks with eSpeak NG in one thread, so that passages take turns in the order in which they come.

    One thread and no pool of processes: a clause of 60 characters holds the library for 3 to 4 ms.
    """

    def __init__(self, settings: TtsSettings) -> None:
        """Load the library and list its voices.

        Raises EspeakError when the library is missing, VoiceUnknownError or LanguageUnsupportedError when the
        settings name a voice or language it has not.
        """
        self._settings: EspeakSettings = settings.espeak
        self._speed = settings.speed
        self._lookahead_samples = SAMPLE_RATE_HZ * settings.lookahead_ms // 1000
        self.voices = EspeakCatalogue(list_voices(), default_language=settings.language, default_voice=settings.voice)
        self.info = EngineInfo(
            name="espeak",
            version=espeak.version(),
            model="eSpeak NG (embedded formant voices)",
            sample_rate_hz=SAMPLE_RATE_HZ,
            capacity=CAPACITY,
            alignments=True,
            limitations=LIMITATIONS,
        )
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="espeak")

    def speak(self, passage: Passage) -> ThreadedSpeech:
        """Begin to speak a passage."""
        return ThreadedSpeech(self._steps(passage), self._executor, lookahead_samples=self._lookahead_samples)

    async def warm_up(self) -> None:
        """Load the default voice: its first use costs some 40 ms."""
        step = self._executor.submit(_speak_and_forget, self.voices.default.name)
        await asyncio.wrap_future(step)

    def close(self) -> None:
        """Let the thread go."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _steps(self, passage: Passage) -> Iterator[Step]:
        text = speakable(passage.text)
        rate = round(self._settings.rate_wpm * self._speed * passage.speed)
        origin = _Origin()
        for piece in pieces(text.text, self._settings.piece_characters):
            yield _PieceStep(text, piece, origin, voice=passage.voice.name, rate_wpm=rate, pitch=self._settings.pitch)


class _Origin:
    """How many samples the passage's earlier pieces took; written by the one step that runs."""

    samples = 0


class _PieceStep:
    """Speaks one piece: first buffer at once, then batches; alignments in the passage's own positions."""

    def __init__(
        self, text: SpeakableText, piece: Piece, origin: _Origin, *, voice: str, rate_wpm: int, pitch: int
    ) -> None:
        self._text = text
        self._piece = piece
        self._origin = origin
        self._voice = voice
        self._rate_wpm = rate_wpm
        self._pitch = pitch
        self._track = WordTrack(piece.text)
        self._held: list[NDArray[np.float32]] = []
        self._held_samples = 0
        self._held_words: list[WordSpan] = []
        self._spoken = 0

    def __call__(self, outlet: Outlet) -> None:
        speak(
            self._piece.text,
            lambda chunk: self._take(chunk, outlet),
            voice=self._voice,
            rate_wpm=self._rate_wpm,
            pitch=self._pitch,
            end_pause=self._piece.pauses,
        )
        self._held_words += self._track.finish(self._spoken)
        self._send(outlet)
        self._origin.samples += self._spoken

    def _take(self, chunk: EspeakChunk, outlet: Outlet) -> bool:
        first = self._spoken == 0
        self._held.append(chunk.samples)
        self._held_samples += len(chunk.samples)
        self._spoken += len(chunk.samples)
        self._held_words += self._track.add(chunk.words)
        if (first and self._held_samples) or self._held_samples >= _BATCH_SAMPLES:
            return self._send(outlet)
        return outlet.wanted  # with every buffer: this is the grain of cancellation

    def _send(self, outlet: Outlet) -> bool:
        if not self._held_samples and not self._held_words:
            return True
        samples = np.concatenate(self._held) if self._held else np.zeros(0, dtype=np.float32)
        chunk = SpeechChunk(samples, tuple(self._in_passage(span) for span in self._held_words))
        self._held, self._held_samples, self._held_words = [], 0, []
        return outlet.put(chunk)

    def _in_passage(self, span: WordSpan) -> WordSpan:
        start, end = self._text.original_range(self._piece.start + span.text_start, self._piece.start + span.text_end)
        return WordSpan(start, end, self._origin.samples + span.start_sample, self._origin.samples + span.end_sample)


def _speak_and_forget(voice: str) -> None:
    speak("a", lambda _: True, voice=voice)
