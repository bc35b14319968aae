"""The eSpeak NG shared library, loaded once and declared to ctypes.

eSpeak NG keeps one synthesiser in process-wide variables: there is one library, one callback and one lock
(:data:`ESPEAK_LOCK`), and every call into it is made while holding the lock. Structures follow `speak_lib.h` of
eSpeak NG 1.52. The library is GPLv3; loading it is what makes this process a GPL work, see this package's README.
"""

from __future__ import annotations

import ctypes
import threading
from typing import Any

SAMPLE_RATE_HZ = 22_050
"""Rate of every voice of the library (its own MBROLA voices, which have others, are not shipped)."""

AUDIO_OUTPUT_SYNCHRONOUS = 2
INITIALIZE_DONT_EXIT = 1 << 15
CHARS_UTF8 = 1
END_PAUSE = 0x1000
POSITION_CHARACTER = 1
PARAMETER_RATE = 1
PARAMETER_PITCH = 3

EVENT_LIST_TERMINATED = 0
EVENT_WORD = 1
EVENT_END = 5

BUFFER_MS = 200
"""Length of the buffers the callback is handed: the grain of cancellation, some 0.3 ms of work.

Each callback waits for Python's interpreter lock, which a busy event loop may keep for 5 ms: few and long ones are
faster for everybody than the 60 ms that the library could do.
"""

ESPEAK_LOCK = threading.RLock()
"""Held around every call into the library, by whichever thread."""


class EspeakError(Exception):
    """eSpeak NG is missing, refused to start, or refused to speak. The message says what to do."""


class EventId(ctypes.Union):
    """The part of an event that depends on its type."""

    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class Event(ctypes.Structure):
    """`espeak_EVENT`: `text_position` counts code points from 1; `sample` counts from the start of the synthesis."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", EventId),
    )


class VoiceRecord(ctypes.Structure):
    """`espeak_VOICE`: `languages` is a list of (priority byte, zero-terminated tag), ended by a zero byte."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


SynthCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event))

_loaded: Any = None


def load() -> Any:
    """The library, initialised for callbacks; the caller holds :data:`ESPEAK_LOCK`.

    Raises:
        EspeakError: The package is not installed or the library does not start.
    """
    global _loaded  # noqa: PLW0603 - the library itself is process-wide, so is our handle on it
    if _loaded is None:
        _loaded = _start()
    return _loaded


def _start() -> Any:
    try:
        import espeakng_loader  # noqa: PLC0415 - importing this package must not load the engine
    except ImportError as error:
        raise EspeakError("eSpeak NG is not installed: install Parley's extra `tts`") from error
    try:
        library = ctypes.CDLL(espeakng_loader.get_library_path())
    except OSError as error:
        raise EspeakError(f"eSpeak NG's library does not load on this machine: {error}") from error
    library.espeak_Info.restype = ctypes.c_char_p
    library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(VoiceRecord))
    library.espeak_ListVoices.argtypes = [ctypes.POINTER(VoiceRecord)]
    library.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
    library.espeak_SetSynthCallback.argtypes = [SynthCallback]
    library.espeak_SetSynthCallback.restype = None
    library.espeak_Synth.argtypes = [
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_uint,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.c_uint,
        ctypes.c_void_p,
        ctypes.c_void_p,
    ]
    data_path = str(espeakng_loader.get_data_path()).encode()
    rate = library.espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, BUFFER_MS, data_path, INITIALIZE_DONT_EXIT)
    if rate != SAMPLE_RATE_HZ:
        raise EspeakError(f"eSpeak NG did not start (it answered {rate}): reinstall Parley's extra `tts`")
    return library


def version() -> str:
    """The library's own version, such as "1.52.0"."""
    with ESPEAK_LOCK:
        return str(load().espeak_Info(None).decode())
