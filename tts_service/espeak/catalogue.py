"""Which voices eSpeak NG has, under truthful BCP 47 tags."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

from tts_service.espeak import library
from tts_service.espeak.library import ESPEAK_LOCK, VoiceRecord
from tts_service.voices import Gender, Voice

# Their pronunciation dictionaries are not in the `espeakng-loader` wheel (0.2.4), or cannot read their own script.
_UNUSABLE = frozenset({"chr", "fo", "kaa", "xex"})

# eSpeak NG's own spellings that are not BCP 47, or mean another place there ("ca-BA" would be Bosnia).
_TAGS = {
    "ca-ba": "ca-x-balear",
    "ca-nw": "ca-x-nordoc",
    "ca-va": "ca-valencia",
    "en-us-nyc": "en-US-x-nyc",
    "fa-latn": "fa-Latn",
    "hy-arevela": "hy",
    "hy-arevmda": "hyw",
    "piqd": "tlh",
    "py": "art-x-pyash",
    "qdb": "art-x-belta",
    "ru-cl": "ru-x-classic",
    "ru-lv": "ru-LV",
    "zh-cmn": "cmn",
    "zh-yue": "yue",
}

_GENDERS: dict[int, Gender] = {1: "male", 2: "female"}


def list_voices() -> tuple[Voice, ...]:
    """Every usable voice, named as :func:`tts_service.espeak.speak` takes it; EspeakError when the library is missing.

    Preferences are eSpeak NG's own priorities: 1 is best, 5 the usual, 10 a makeshift.
    """
    with ESPEAK_LOCK:
        records = library.load().espeak_ListVoices(None)
        voices = []
        index = 0
        while records[index]:
            record = records[index].contents
            name = record.identifier.decode().rsplit("/", 1)[-1].lower()
            if name not in _UNUSABLE:
                # The display name is plain text of the library's own voice files; one ends with a stray space.
                voices.append(
                    Voice(
                        name,
                        _languages(record),
                        f"eSpeak NG {record.name.decode().strip()}",
                        _GENDERS.get(record.gender, ""),
                    )
                )
            index += 1
    return tuple(voices)


def list_variants() -> frozenset[str]:
    """Names that may follow a voice's after a plus sign, such as `f3` in `en+f3`, lower case."""
    spec = VoiceRecord()
    wanted = ctypes.create_string_buffer(b"variant")
    spec.languages = ctypes.cast(wanted, ctypes.c_void_p)
    with ESPEAK_LOCK:
        records = library.load().espeak_ListVoices(ctypes.byref(spec))
        variants = set()
        index = 0
        while records[index]:
            variants.add(records[index].contents.identifier.decode().rsplit("/", 1)[-1])
            index += 1
    return frozenset(variants)


def _languages(record: VoiceRecord) -> tuple[tuple[str, int], ...]:
    tags: dict[str, int] = {}
    for preference, raw in _raw_languages(record):
        tag = _TAGS.get(raw.lower(), _cased(raw))
        tags[tag] = min(preference, tags.get(tag, preference))
    return tuple(tags.items())


def _raw_languages(record: VoiceRecord) -> Iterator[tuple[int, str]]:
    address = record.languages
    while preference := ctypes.c_ubyte.from_address(address).value:
        tag = ctypes.string_at(address + 1)
        yield preference, tag.decode()
        address += 1 + len(tag) + 1


def _cased(tag: str) -> str:
    """The usual spelling (RFC 5646 2.1.1): language lower, script Title, region UPPER; private parts as they are."""
    parts = tag.split("-")
    written = [parts[0].lower()]
    for position, part in enumerate(parts[1:], start=1):
        if part.lower() == "x":
            return "-".join([*written, *(rest.lower() for rest in parts[position:])])
        if len(part) == 4 and part.isalpha():
            written.append(part.title())
        else:
            written.append(part.upper() if len(part) == 2 else part.lower())
    return "-".join(written)
