"""Which voices a speech server has, from lists that each server writes its own way. Nothing in them is trusted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tts_service.blending import Blend, blend_of
from tts_service.kokoro.languages import LANGUAGES
from tts_service.voices import Gender, Voice, VoiceCatalogue, VoiceUnknownError

LISTS = ("/audio/voices", "/voices/all", "/voices")
"""Where lists are looked for: Kokoro-FastAPI and Speaches; openai-edge-tts, all and those of its own language."""

OPENAI_VOICES = ("alloy", "ash", "coral", "echo", "fable", "nova", "onyx", "sage", "shimmer")
"""OpenAI's own, which servers without a list usually take."""

MOST_VOICES = 5000

_KOKORO = re.compile(r"(?P<letter>[abefhijpz])(?P<gender>[fm])_\w+")
_LOCALE = re.compile(r"(?P<tag>[a-z]{2,3}[-_](?:[A-Z][a-z]{3}[-_])?[A-Z]{2})(?:[-_]|$)")
_TAG = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
_GENDERS: Mapping[str, Gender] = {"female": "female", "male": "male", "neutral": "neutral", "f": "female", "m": "male"}


@dataclass(frozen=True)
class ListedVoice:
    """One entry of a server's list; `languages` is empty where neither the list nor the name tells."""

    name: str
    languages: tuple[str, ...]
    gender: Gender


class ServerVoices(VoiceCatalogue):
    """A server's voices; where they are Kokoro's, blends of them too."""

    def named(self, name: str) -> Voice:
        """The voice, or the blend; raises VoiceUnknownError."""
        try:
            return super().named(name)
        except VoiceUnknownError:
            blend = blend_of(name)
            if blend is None or not all(_KOKORO.fullmatch(part) for part, _ in blend.parts):
                raise
        first, *_ = self._known(blend)
        return Voice(blend.bracketed, first.languages, f"{first.display_name} and others", first.gender)

    def _known(self, blend: Blend) -> list[Voice]:
        return [super(ServerVoices, self).named(part) for part, _ in blend.parts]


def read_list(found: Any) -> list[ListedVoice] | None:
    """Read a list of voices; None where it is none."""
    entries = found.get("voices", found.get("data")) if isinstance(found, dict) else found
    if not isinstance(entries, list):
        return None
    voices: dict[str, ListedVoice] = {}
    for entry in entries[:MOST_VOICES]:
        voice = _read(entry)
        if voice is not None:
            voices.setdefault(voice.name.lower(), voice)
    return list(voices.values())


def catalogue(
    listed: Iterable[ListedVoice], known: Mapping[str, tuple[str, ...]], *, default_language: str, default_voice: str
) -> tuple[ServerVoices, bool]:
    """The catalogue of what is listed and what the settings know besides; whether the languages of any are guessed.

    A voice whose language nobody tells is taken to speak the default one. Raises VoiceUnknownError,
    LanguageUnsupportedError.
    """
    found = {voice.name: voice for voice in listed}
    if not found:
        names = [*known, *([default_voice] if default_voice else OPENAI_VOICES)]
        found = {name: _by_name(name) for name in names}
    # What the settings tell comes first and counts more.
    ordered = {**{name: found.get(name, _by_name(name)) for name in known}, **found}
    guessed = False
    voices = []
    for name, voice in ordered.items():
        tags = known.get(name) or voice.languages
        guessed = guessed or not tags
        voices.append(
            Voice(name, tuple((tag, 1) for tag in tags or (default_language,)), display_name(name), voice.gender)
        )
    return ServerVoices(voices, default_language=default_language, default_voice=default_voice), guessed


def display_name(name: str) -> str:
    """A name for people: "Heart" of "af_heart", "Andrew" of "en-US-AndrewNeural"."""
    kokoro = _KOKORO.fullmatch(name)
    short = name.partition("_")[2] if kokoro else name.rsplit("-", 1)[-1].removesuffix("Neural")
    return short.replace("_", " ").strip().title() if kokoro or short.islower() else short


def _read(entry: Any) -> ListedVoice | None:
    if isinstance(entry, str):
        return _by_name(entry) if _is_name(entry) else None
    if not isinstance(entry, dict):
        return None
    # Speaches has both, and takes the name; openai-edge-tts has the name only.
    name = next((entry[key] for key in ("name", "id", "voice_id", "voice") if _is_name(entry.get(key))), None)
    if name is None:
        return None
    told = _by_name(name)
    tags = _tags(entry.get("languages")) or _tags(entry.get("language")) or _tags(entry.get("locale"))
    gender = entry.get("gender")
    return ListedVoice(
        name,
        tags or told.languages,
        _GENDERS.get(gender.lower(), told.gender) if isinstance(gender, str) else told.gender,
    )


def _by_name(name: str) -> ListedVoice:
    """What Kokoro's, Edge's and Piper's names tell."""
    if kokoro := _KOKORO.fullmatch(name):
        return ListedVoice(
            name, tuple(tag for tag, _ in LANGUAGES[kokoro["letter"]]), "female" if kokoro["gender"] == "f" else "male"
        )
    if locale := _LOCALE.match(name):
        return ListedVoice(name, (locale["tag"].replace("_", "-"),), "")
    return ListedVoice(name, (), "")


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable()


def _tags(value: Any) -> tuple[str, ...]:
    given = value if isinstance(value, list) else [value]
    return tuple(
        tag.replace("_", "-") for tag in given[:20] if isinstance(tag, str) and len(tag) <= 35 and _TAG.fullmatch(tag)
    )
