"""Speaking one text with eSpeak NG: the library's callback as Python chunks, one text at a time."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tts_service.espeak import library
from tts_service.espeak.library import ESPEAK_LOCK, SAMPLE_RATE_HZ, EspeakError

NORMAL_RATE_WPM = 165
NORMAL_PITCH = 50


@dataclass(frozen=True)
class WordStart:
    """Where a word begins, as eSpeak NG reports it while it speaks.

    `text_start` is a code point of the text, `length` its code points (as eSpeak NG counts: it may take "on the" for
    one word and "123456" for five), `sample` the sample it begins at. A pause is a WordStart of length 0.
    """

    text_start: int
    length: int
    sample: int


@dataclass(frozen=True)
class EspeakChunk:
    """A stretch of speech: mono float32 in [-1, 1) at 22,050 Hz, shape [n], and the words that begin in or after it."""

    samples: NDArray[np.float32]
    words: tuple[WordStart, ...]


Sink = Callable[[EspeakChunk], bool]
"""Takes the next chunk; False stops the synthesis there."""


class _Dispatch:
    """The one C callback, and whom it serves at the moment."""

    def __init__(self) -> None:
        self.sink: Sink | None = None
        self.error: BaseException | None = None
        self.current_voice = ""
        self.function = library.SynthCallback(self._on_buffer)  # kept alive here: the library holds only its address
        self._installed = False

    def install(self, loaded: Any) -> None:
        """Give the library our callback, once."""
        if not self._installed:
            loaded.espeak_SetSynthCallback(self.function)
            self._installed = True

    def _on_buffer(self, wav: Any, count: int, events: Any) -> int:
        # An exception must not cross the C frames: keep it, stop the synthesis, raise it after the call returned.
        try:
            words = []
            index = 0
            while events[index].type != library.EVENT_LIST_TERMINATED:
                event = events[index]
                if event.type == library.EVENT_WORD:
                    words.append(WordStart(max(0, event.text_position - 1), event.length, event.sample))
                elif event.type == library.EVENT_END:
                    words.append(WordStart(max(0, event.text_position), 0, event.sample))
                index += 1
            samples = np.zeros(0, dtype=np.float32)
            if wav and count > 0:
                # Not numpy's `as_array`: for each new length it makes a ctypes type, which is never forgotten.
                pcm = np.frombuffer(ctypes.string_at(wav, count * ctypes.sizeof(ctypes.c_short)), dtype=np.int16)
                samples = pcm.astype(np.float32) / np.float32(32768.0)
            if self.sink is None:
                return 1
            if not len(samples) and not words:
                return 0
            return 0 if self.sink(EspeakChunk(samples, tuple(words))) else 1
        except BaseException as error:
            self.error = error
            return 1


_dispatch = _Dispatch()


def speak(
    text: str,
    sink: Sink,
    *,
    voice: str,
    rate_wpm: int = NORMAL_RATE_WPM,
    pitch: int = NORMAL_PITCH,
    end_pause: bool = False,
) -> None:
    """Speak a text into `sink`, chunk by chunk, in the calling thread; returns when it was spoken or stopped.

    Holds the process-wide lock throughout, so `sink` must not block: a second text waits meanwhile (about 1 ms for
    each second of speech, on one core of 2026). Texts are kept short for that reason.

    Args:
        text: What to say. Zero characters end it, as C strings do.
        sink: Takes each chunk of at most 200 ms; returning False stops there.
        voice: A name of :func:`tts_service.espeak.voices.list_voices`, with or without `+variant`.
        rate_wpm: 80 to 450 words a minute.
        pitch: 0 to 100.
        end_pause: Whether to end with the pause that the last punctuation mark deserves.

    Raises:
        EspeakError: The library is missing, does not know the voice, or failed.
    """
    encoded = text.encode("utf-8", errors="replace")
    with ESPEAK_LOCK:
        loaded = library.load()
        _dispatch.install(loaded)
        if _dispatch.current_voice != voice:
            _dispatch.current_voice = ""
            if loaded.espeak_SetVoiceByName(voice.encode("utf-8", errors="replace")) != 0:
                raise EspeakError(f"eSpeak NG has no voice named {voice!r}")
            _dispatch.current_voice = voice
        loaded.espeak_SetParameter(library.PARAMETER_RATE, max(80, min(450, rate_wpm)), 0)
        loaded.espeak_SetParameter(library.PARAMETER_PITCH, max(0, min(100, pitch)), 0)
        flags = library.CHARS_UTF8 | (library.END_PAUSE if end_pause else 0)
        _dispatch.sink, _dispatch.error = sink, None
        try:
            status = loaded.espeak_Synth(
                ctypes.c_char_p(encoded), len(encoded) + 1, 0, library.POSITION_CHARACTER, 0, flags, None, None
            )
            error = _dispatch.error
        finally:
            _dispatch.sink, _dispatch.error = None, None
    if error is not None:
        raise error
    if status != 0:
        raise EspeakError(f"eSpeak NG failed with status {status}")


def espeak_speech(
    text: str, voice: str = "en", rate_wpm: int = NORMAL_RATE_WPM, pitch: int = NORMAL_PITCH
) -> tuple[NDArray[np.float32], int]:
    """Speak a whole text with eSpeak NG.

    Args:
        text: What to say.
        voice: A voice name, such as "en", "en-us", "de" or, with a variant, "en+f3".
        rate_wpm: 80 to 450 words a minute.
        pitch: 0 to 100.

    Returns:
        Mono float32 samples in [-1, 1), shape [n], and their rate, 22,050 Hz. Any thread may call; calls take turns.

    Raises:
        EspeakError: The library is missing or does not know the voice.
    """
    chunks: list[NDArray[np.float32]] = []

    def collect(chunk: EspeakChunk) -> bool:
        chunks.append(chunk.samples)
        return True

    speak(text, collect, voice=voice, rate_wpm=rate_wpm, pitch=pitch)
    return np.concatenate([np.zeros(0, dtype=np.float32), *chunks]), SAMPLE_RATE_HZ
