"""Voices and the languages they speak: which one answers a wish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Gender: TypeAlias = Literal["", "female", "male", "neutral"]
"""How a voice sounds; empty where nobody says."""

# What a language is also called: withdrawn codes, and tags whose script or region changes the spoken language.
_SPOKEN_AS = {
    "iw": "he",
    "in": "id",
    "ji": "yi",
    "zh-hk": "yue",
    "zh-mo": "yue",
    "zh-yue": "yue",
    "zh-cmn": "cmn",
}


class VoiceUnknownError(Exception):
    """No voice has this name."""


class LanguageUnsupportedError(Exception):
    """No voice, or not the voice named, speaks this language."""


@dataclass(frozen=True)
class Voice:
    """A voice: its name in the contract, the BCP 47 tags it speaks with how well (1 is best), and a name for people.

    `engine` is the one that speaks with it, empty for the service's own; `content` a digest of the files that make it
    sound as it does, empty where the engine's version says it all.
    """

    name: str
    languages: tuple[tuple[str, int], ...]
    display_name: str
    gender: Gender = ""
    engine: str = ""
    content: str = ""

    @property
    def tags(self) -> tuple[str, ...]:
        """The languages without the preference."""
        return tuple(tag for tag, _ in self.languages)

    def speaks(self, language: str) -> bool:
        """Whether the language, in any regional form, is among its own."""
        wanted = primary(language)
        return any(primary(tag) == wanted for tag in self.tags)


class VoiceCatalogue:
    """All voices of an engine, in its order of preference, and the defaults of the settings."""

    def __init__(self, voices: Sequence[Voice], *, default_language: str, default_voice: str = "") -> None:
        """Raises VoiceUnknownError or LanguageUnsupportedError when the defaults name what there is not."""
        self._voices = tuple(voices)
        self._by_name = {voice.name.lower(): voice for voice in self._voices}
        self.default = self.named(default_voice) if default_voice else self.for_language(default_language)

    @property
    def all(self) -> tuple[Voice, ...]:
        """Every voice."""
        return self._voices

    @property
    def languages(self) -> tuple[str, ...]:
        """Every language any voice speaks, the default voice's first, each once."""
        seen: dict[str, None] = dict.fromkeys(self.default.tags)
        for voice in self._voices:
            seen.update(dict.fromkeys(voice.tags))
        return tuple(seen)

    def named(self, name: str) -> Voice:
        """The voice of this name, whatever its case; raises VoiceUnknownError."""
        try:
            return self._by_name[name.lower()]
        except KeyError:
            raise VoiceUnknownError(f"there is no voice named {name[:60]!r}; ListVoices says which there are") from None

    def speaking(self, language: str) -> tuple[Voice, ...]:
        """The voices that speak a language, best first; all when it is empty."""
        if not language:
            return self._voices
        ranked = sorted(
            (rank, order, voice)
            for order, voice in enumerate(self._voices)
            if (rank := _rank(voice, language)) is not None
        )
        return tuple(voice for _, _, voice in ranked)

    def for_language(self, language: str) -> Voice:
        """The best voice for a language; raises LanguageUnsupportedError."""
        voices = self.speaking(language)
        if not voices:
            raise LanguageUnsupportedError(f"no voice speaks {language[:40]!r}; GetInfo says which languages there are")
        return voices[0]

    def choose(self, voice: str, language: str) -> Voice:
        """The voice for a reply: the named one, which must speak the language if one is named; else the language's.

        The default voice is kept for every language it speaks. Raises VoiceUnknownError, LanguageUnsupportedError.
        """
        if voice:
            chosen = self.named(voice)
            if language and not chosen.speaks(language):
                raise LanguageUnsupportedError(
                    f"voice {chosen.name!r} does not speak {language[:40]!r}; name another or leave the voice empty"
                )
            return chosen
        if not language or _same(language, self.default):
            return self.default
        return self.for_language(language)

    def choose_segment(self, reply_voice: Voice, voice: str, language: str) -> Voice:
        """The voice for one segment: the reply's unless the segment names another or speaks another language."""
        if voice:
            return self.choose(voice, language)
        if not language or reply_voice.speaks(language):
            return reply_voice
        return self.choose("", language)


def primary(language: str) -> str:
    """The spoken language of a tag without its script and region: "en" of "en-GB", "yue" of "zh-HK"."""
    return _lookups(language)[-1]


def _same(language: str, voice: Voice) -> bool:
    # "en" is content with any English default; "en-GB" is not content with an American one.
    tags = [tag.lower() for tag in voice.tags]
    return language.lower() in tags or ("-" not in language and voice.speaks(language))


def _lookups(language: str) -> list[str]:
    """A tag and its shorter forms (RFC 4647, "lookup"), lower case, most specific first."""
    parts = language.replace("_", "-").lower().split("-")
    forms = ["-".join(parts[:length]) for length in range(len(parts), 0, -1)]
    found: list[str] = []
    for form in forms:
        if form in _SPOKEN_AS:
            return [*found, _SPOKEN_AS[form]]
        # A lone letter such as the "x" of a private use part is no subtag to end with.
        if len(form.rsplit("-", 1)[-1]) > 1 or "-" not in form:
            found.append(form)
    return found


def _rank(voice: Voice, language: str) -> tuple[int, int] | None:
    """How well a voice fits: (steps from the tag asked for, the voice's own preference); None when it does not."""
    tags = {tag.lower(): preference for tag, preference in voice.languages}
    lookups = _lookups(language)
    for distance, form in enumerate(lookups):
        if form in tags:
            return distance, tags[form]
    # Nothing general enough: a regional form of the same language still serves ("es" by a voice that says "es-419").
    siblings = [preference for tag, preference in voice.languages if primary(tag) == lookups[-1]]
    return (len(lookups), min(siblings)) if siblings else None
