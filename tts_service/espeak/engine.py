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
from tts_service.text import Piece, SpeakableText, clauses, speakable
from tts_service.threaded import Outlet, Step, ThreadedSpeech
from tts_service.voices import Gender, Voice, VoiceCatalogue, VoiceUnknownError

CAPACITY = 64
"""Replies at once. Twenty that begin together wait about 100 ms for their first sound (median, on two busy cores);
replies of real calls begin apart, and each needs some 3 ms of a core for a second of speech."""

_NO_SAMPLES = np.zeros(0, dtype=np.float32)

_VARIANT_GENDERS: dict[str, Gender] = {"f": "female", "m": "male"}
"""Of variants such as f3 and m1."""

LIMITATIONS = (
    "The voice is synthetic by rule and sounds robotic; it is made to be understood, small and instant.",
    "One text is spoken at a time in the process; concurrent replies take turns clause by clause.",
    "Japanese is read in kana only and Chinese tones are approximate.",
)


class EspeakCatalogue(VoiceCatalogue):
    """eSpeak NG's voices; a name may carry a variant of timbre after a plus sign, as in "en+f3"."""

    def __init__(self, *, default_language: str, default_voice: str = "") -> None:
        """List them, once: later look-ups are made on the event loop and must not wait for the library's lock."""
        self._variants = {variant.lower(): variant for variant in list_variants()}
        super().__init__(list_voices(), default_language=default_language, default_voice=default_voice)

    def named(self, name: str) -> Voice:
        """The voice, or the voice with its variant; raises VoiceUnknownError."""
        base, plus, variant = name.partition("+")
        voice = super().named(base)
        if not plus:
            return voice
        spelled = self._variants.get(variant.lower())
        if spelled is None:
            raise VoiceUnknownError(f"voice {base[:60]!r} has no variant {variant[:60]!r}")
        gender = _VARIANT_GENDERS.get(spelled[:1]) if spelled[1:].isdecimal() else None
        return Voice(
            f"{voice.name}+{spelled}",
            voice.languages,
            f"{voice.display_name} ({spelled})",
            voice.gender if gender is None else gender,
        )


class EspeakEngine:
    """Speaks with eSpeak NG in one thread, so that passages take turns in the order in which they come.

    One thread and no pool of processes: a clause holds the library for 1 to 4 ms, and processes would cost each its
    own memory and start to win what a second core gives only when no other service wants it.
    """

    def __init__(self, settings: TtsSettings) -> None:
        """Load the library and list its voices.

        Raises EspeakError when the library is missing, VoiceUnknownError or LanguageUnsupportedError when the
        settings name a voice or language it has not.
        """
        self._settings: EspeakSettings = settings.espeak
        self._speed = settings.speed
        self._lookahead_samples = SAMPLE_RATE_HZ * settings.lookahead_ms // 1000
        self.voices = EspeakCatalogue(default_language=settings.language, default_voice=settings.voice)
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

    async def open(self) -> None:
        """Nothing to learn: all of it is on this machine."""

    async def warm_up(self) -> None:
        """Load the default voice: its first use costs some 40 ms."""
        step = self._executor.submit(_speak_and_forget, self.voices.default.name)
        await asyncio.wrap_future(step)

    async def close(self) -> None:
        """Let the thread go."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _steps(self, passage: Passage) -> Iterator[Step]:
        text = speakable(passage.text)
        rate = round(self._settings.rate_wpm * self._speed * passage.speed)
        origin = _Origin()
        for piece in clauses(text.text, self._settings.piece_characters):
            yield _PieceStep(text, piece, origin, voice=passage.voice.name, rate_wpm=rate, pitch=self._settings.pitch)


class _Origin:
    """How many samples the passage's earlier pieces took; written by the one step that runs."""

    samples = 0


class _PieceStep:
    """Speaks one piece as it comes from the library, with alignments in the passage's own positions."""

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
        self._spoken = 0

    def __call__(self, outlet: Outlet) -> None:
        def take(chunk: EspeakChunk) -> bool:
            self._spoken += len(chunk.samples)
            return self._put(outlet, chunk.samples, self._track.add(chunk.words))

        speak(
            self._piece.text,
            take,
            voice=self._voice,
            rate_wpm=self._rate_wpm,
            pitch=self._pitch,
            end_pause=self._piece.pauses,
        )
        self._put(outlet, _NO_SAMPLES, self._track.finish(self._spoken))
        self._origin.samples += self._spoken

    def _put(self, outlet: Outlet, samples: NDArray[np.float32], words: list[WordSpan]) -> bool:
        if not len(samples) and not words:
            return outlet.wanted
        return outlet.put(SpeechChunk(samples, tuple(self._in_passage(word) for word in words)))

    def _in_passage(self, span: WordSpan) -> WordSpan:
        start, end = self._text.original_range(self._piece.start + span.text_start, self._piece.start + span.text_end)
        return WordSpan(start, end, self._origin.samples + span.start_sample, self._origin.samples + span.end_sample)


def _speak_and_forget(voice: str) -> None:
    speak("a", lambda _: True, voice=voice)
