"""Kokoro's one-letter languages and BCP 47."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
from pathlib import Path

from tts_service.voices import Gender, primary

LANGUAGES: dict[str, tuple[tuple[str, int], ...]] = {
    "a": (("en-US", 1), ("en", 1)),
    "b": (("en-GB", 1), ("en", 2)),
    "e": (("es", 1),),
    "f": (("fr-FR", 1), ("fr", 1)),
    "h": (("hi", 1),),
    "i": (("it", 1),),
    "j": (("ja", 1),),
    "p": (("pt-BR", 1), ("pt", 1)),
    "z": (("zh", 1), ("cmn", 1)),
}
"""The letter that a voice's name begins with, and what it speaks, with preferences as of a voice."""

ESPEAK_ENGLISH = {"a": "en-us", "b": "en-gb"}
"""How eSpeak NG calls the Englishes, where it must pronounce them for want of the spaCy model."""

ENGLISH_MODEL = "en_core_web_sm"
"""The spaCy model that Kokoro's English pronunciation needs, and would download if it were let."""

_OWN_NAME = re.compile(r"[abefhijpz][fm]_\w+")


def letter_of(voice: str, voice_languages: dict[str, str]) -> str:
    """The letter of a voice: as the settings say, else by its name, else English."""
    if voice in voice_languages:
        return letter_for(voice_languages[voice])
    return voice[0] if _OWN_NAME.fullmatch(voice) else "a"


def gender_of(voice: str) -> Gender:
    """What the second letter of a voice's name tells."""
    if not _OWN_NAME.fullmatch(voice):
        return ""
    return "female" if voice[1] == "f" else "male"


def letter_for(language: str) -> str:
    """The letter for a BCP 47 tag; empty when Kokoro does not speak it."""
    wanted = language.lower()
    if wanted == "en-gb" or wanted.startswith("en-gb-"):
        return "b"
    spoken = primary(language)
    return next((letter for letter, tags in LANGUAGES.items() if any(primary(t) == spoken for t, _ in tags)), "")


def unavailable(letter: str) -> str:
    """Why a language cannot be pronounced here without a download; empty when it can."""
    needs = {"j": ("pyopenjtalk", "fugashi", "mojimoji", "jaconv"), "z": ("jieba", "pypinyin", "cn2an", "ordered_set")}
    missing = [package for package in needs.get(letter, ()) if importlib.util.find_spec(package) is None]
    if missing:
        extra = "misaki[ja]" if letter == "j" else "misaki[zh]"
        return f"{', '.join(missing)} not installed (pip install '{extra}')"
    if letter == "j" and not _japanese_dictionary():
        # pyopenjtalk fetches its dictionary on first use unless it is there.
        return "Open JTalk's dictionary is not on disk (set OPEN_JTALK_DICT_DIR)"
    return ""


def has_english_model() -> bool:
    """Whether the spaCy model for English pronunciation is installed, asked as spaCy asks before it downloads."""
    try:
        importlib.metadata.distribution(ENGLISH_MODEL)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _japanese_dictionary() -> bool:
    named = os.environ.get("OPEN_JTALK_DICT_DIR")
    if named:
        return Path(named).is_dir()
    spec = importlib.util.find_spec("pyopenjtalk")
    return bool(spec and spec.origin and any(Path(spec.origin).parent.glob("*dic*/sys.dic")))
