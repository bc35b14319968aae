"""Engines that stand in for another: for the languages it has no voice for, and where it fails before it is heard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace

from servicekit.audio import LiveResampler
from servicekit.logs import get_logger
from tts_service.speech import Engine, EngineError, Passage, Speech, SpeechChunk, WordSpan
from tts_service.voices import LanguageUnsupportedError, Voice, VoiceCatalogue, VoiceUnknownError, primary

ANY = "*"
"""In the settings: every language that none other is named for."""

_log = get_logger(__name__)

InPlace = Callable[[], Speech | None]


class CombinedVoices(VoiceCatalogue):
    """The main engine's voices and those of the stand-ins, each with its engine's name.

    A stand-in adds what it says in the languages that it stands in for and the main engine does not speak.
    """

    def __init__(self, main: VoiceCatalogue, others: Mapping[str, VoiceCatalogue], fallback: Mapping[str, str]) -> None:
        self._main = main
        self._others = others
        self._fallback = {
            language if language == ANY else primary(language): name for language, name in fallback.items()
        }
        self._spoken = {primary(tag) for voice in main.all for tag in voice.tags}
        taken = {voice.name.lower() for voice in main.all}
        added: list[Voice] = []
        for name, catalogue in others.items():
            for voice in catalogue.all:
                tags = tuple((tag, rank) for tag, rank in voice.languages if self._adds(name, tag))
                if tags and voice.name.lower() not in taken:
                    taken.add(voice.name.lower())
                    added.append(replace(voice, languages=tags, engine=name))
        super().__init__([*main.all, *added], default_language=main.default.tags[0], default_voice="")
        self.default = main.default

    def named(self, name: str) -> Voice:
        """The voice, with a variant or a blend where its engine has such."""
        try:
            return self._main.named(name)
        except VoiceUnknownError as error:
            # One that is listed has its languages; a variant of it is found by its own engine only.
            if (listed := self._by_name.get(name.lower())) is not None:
                return listed
            for engine, catalogue in self._others.items():
                try:
                    voice = catalogue.named(name)
                except VoiceUnknownError:
                    continue
                if tags := tuple((tag, rank) for tag, rank in voice.languages if self._adds(engine, tag)):
                    return replace(voice, languages=tags, engine=engine)
            raise error from None

    def stand_in(self, language: str) -> str:
        """Name of the engine that stands in for a language; empty where none does."""
        return self._fallback.get(primary(language), self._fallback.get(ANY, ""))

    def _adds(self, engine: str, language: str) -> bool:
        return primary(language) not in self._spoken and self.stand_in(language) == engine


class EngineWithStandIns:
    """One engine and those that stand in for it, as one; see `speech.Engine`.

    Sound has one rate, the main engine's: that of a stand-in is resampled.
    """

    def __init__(self, main: Engine, others: Mapping[str, Engine], fallback: Mapping[str, str]) -> None:
        """All are open; they are this one's from now on."""
        self._main = main
        self._others = dict(others)
        self.voices = CombinedVoices(main.voices, {name: one.voices for name, one in others.items()}, fallback)
        said = [
            f"{name} stands in for {main.info.name} {_for_what(name, fallback)}, if need be, and where it fails "
            "before it is heard."
            for name in self._others
        ]
        engines = [main.info, *(one.info for one in self._others.values())]
        self.info = replace(
            main.info,
            limitations=(*main.info.limitations, *said),
            # What is kept of a voice of theirs must not outlive their version.
            content=" ".join(f"{one.name} {one.version} {one.model} {one.content}" for one in engines),
        )

    async def open(self) -> None:
        """They are open."""

    async def warm_up(self) -> None:
        """Warm all of them."""
        for engine in (self._main, *self._others.values()):
            await engine.warm_up()

    async def close(self) -> None:
        """Close all of them."""
        for engine in (self._main, *self._others.values()):
            await engine.close()

    def speak(self, passage: Passage) -> Speech:
        """Begin to speak a passage with the engine of its voice."""
        if passage.voice.engine in self._others:
            return self._at_our_rate(passage.voice.engine, passage)
        name = self.voices.stand_in(passage.language)
        if not name:
            return self._main.speak(passage)
        return _RescuedSpeech(self._main, passage, lambda: self._in_place(name, passage))

    def _in_place(self, name: str, passage: Passage) -> Speech | None:
        """The passage by the stand-in; None where it does not speak the language after all."""
        other = self._others[name]
        try:
            voice = other.voices.for_language(passage.language)
        except LanguageUnsupportedError:
            return None
        _log.warning("another engine stands in", engine=self._main.info.name, stand_in=name, voice=voice.name)
        return self._at_our_rate(name, replace(passage, voice=voice))

    def _at_our_rate(self, name: str, passage: Passage) -> Speech:
        other = self._others[name]
        speech = other.speak(passage)
        source_hz, rate_hz = other.info.sample_rate_hz, self.info.sample_rate_hz
        return speech if source_hz == rate_hz else _ResampledSpeech(speech, source_hz, rate_hz)


class _ResampledSpeech:
    """A speech at another rate; see `speech.Speech`."""

    def __init__(self, speech: Speech, source_hz: int, rate_hz: int) -> None:
        self._speech = speech
        self._chunks = aiter(speech)
        self._resampler = LiveResampler(source_hz, rate_hz)
        self._ratio = rate_hz / source_hz
        self._over = False

    @property
    def ended(self) -> asyncio.Future[None]:
        """Done when its engine is."""
        return self._speech.ended

    def stop(self) -> None:
        """Stop it."""
        self._over = True
        self._speech.stop()

    def __aiter__(self) -> AsyncIterator[SpeechChunk]:
        return self

    async def __anext__(self) -> SpeechChunk:
        if self._over:
            raise StopAsyncIteration
        chunk = await anext(self._chunks, None)
        if chunk is None:
            self._over = True
            return SpeechChunk(self._resampler.flush())
        return SpeechChunk(self._resampler.process(chunk.samples), tuple(map(self._scaled, chunk.words)))

    def _scaled(self, word: WordSpan) -> WordSpan:
        start, end = round(word.start_sample * self._ratio), round(word.end_sample * self._ratio)
        return WordSpan(word.text_start, word.text_end, start, end)


class _RescuedSpeech:
    """A speech that another takes the place of when it fails before its first chunk; see `speech.Speech`."""

    def __init__(self, engine: Engine, passage: Passage, in_place: InPlace) -> None:
        self._in_place = in_place
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._begun: list[Speech] = []
        self._heard = False
        self._over = False
        self._begin(engine.speak(passage))

    @property
    def ended(self) -> asyncio.Future[None]:
        """Done when neither engine works for it any more."""
        return self._ended

    def stop(self) -> None:
        """Stop whichever speaks."""
        self._over = True
        for speech in self._begun:
            speech.stop()
        self._settle()

    def __aiter__(self) -> AsyncIterator[SpeechChunk]:
        return self

    async def __anext__(self) -> SpeechChunk:
        try:
            chunk = await anext(self._chunks)
        except EngineError:
            if self._heard or self._over or (other := self._in_place()) is None:
                self._close()
                raise
            self._heard = True  # for the stand-in there is none
            self._begun[-1].stop()
            self._begin(other)
            return await self.__anext__()
        except StopAsyncIteration:
            self._close()
            raise
        self._heard = True
        return replace(chunk, stands_in=True) if len(self._begun) > 1 else chunk

    def _begin(self, speech: Speech) -> None:
        self._begun.append(speech)
        self._chunks = aiter(speech)
        speech.ended.add_done_callback(lambda _: self._settle())

    def _close(self) -> None:
        self._over = True
        self._settle()

    def _settle(self) -> None:
        if self._over and not self._ended.done() and all(speech.ended.done() for speech in self._begun):
            self._ended.set_result(None)


def _for_what(name: str, fallback: Mapping[str, str]) -> str:
    languages = sorted(language for language, engine in fallback.items() if engine == name and language != ANY)
    named = [f"for {', '.join(languages)}"] if languages else []
    rest = ["for every language that has no voice otherwise"] if fallback.get(ANY) == name else []
    return " and ".join(named + rest)
