"""Which language is a reply written in? The voice follows it.

The brain may answer in another language than it was asked in. A wrong guess reads a whole sentence in the wrong
voice, no guess leaves the voice as it is: so whatever is unsure is None.
"""

from __future__ import annotations

import copy
import functools
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from orchestrator.engine.cues import load_cues, words_of
from orchestrator.languages.tags import primary

# Languages that are not written in Latin script; a script is named by the first word of its characters' names.
_WRITTEN_IN = {
    "HIRAGANA": ("ja",),
    "KATAKANA": ("ja",),
    "CJK": ("zh", "ja"),
    "HANGUL": ("ko",),
    "DEVANAGARI": ("hi", "mr", "ne"),
    "CYRILLIC": ("ru", "uk", "bg", "sr", "mk", "be", "kk"),
    "GREEK": ("el",),
    "ARABIC": ("ar", "fa", "ur"),
    "HEBREW": ("he",),
    "THAI": ("th",),
    "BENGALI": ("bn",),
    "TAMIL": ("ta",),
}
# A syllable or a character says as much as about three letters.
_WEIGHT = {"HIRAGANA": 3, "KATAKANA": 3, "CJK": 3, "HANGUL": 3}
_OTHER_SCRIPTS = {language for languages in _WRITTEN_IN.values() for language in languages}
_LATIN = "LATIN"
# Enough of a reply to tell; more costs time and says no more.
_MAX_CHARACTERS = 400
# Confidence from which the classifier is believed; below it, it takes "Hello!" for Spanish.
_SURE = 0.8

Classify = Callable[[str], tuple[str, float]]
"""Text → primary subtag and confidence, 0 to 1."""


def language_of(text: str, candidates: Sequence[str]) -> str | None:
    """The candidate that a reply is written in, by its script and function words; None when that leaves a doubt."""
    return _decide(text, candidates, None)


class ReplyLanguages:
    """Tells the language of replies among fixed candidates; one per set of candidates and process."""

    def __init__(self, candidates: Sequence[str], classify: Classify | None = None) -> None:
        """Tell ``candidates`` (BCP 47) apart, those in Latin script through ``classify`` where there is one."""
        self._candidates = tuple(candidates)
        self._classify = classify

    @classmethod
    def load(cls, candidates: Sequence[str]) -> ReplyLanguages:
        """With the py3langid classifier where it is installed and of use. Blocks for about a second: not on a loop."""
        latin = tuple(dict.fromkeys(primary(tag) for tag in candidates if primary(tag) not in _OTHER_SCRIPTS))
        return cls(candidates, _load_classifier(latin) if len(latin) > 1 else None)

    def of(self, text: str) -> str | None:
        """The candidate that a reply is written in; None when that leaves a doubt. Tens of microseconds."""
        return _decide(text, self._candidates, self._classify)


def _decide(text: str, candidates: Sequence[str], classify: Classify | None) -> str | None:
    text = text[:_MAX_CHARACTERS]
    script = _script_of(text)
    if script is None:
        return None
    if script != _LATIN:
        # The first language of the script that is a candidate: Chinese characters alone are Chinese where both are.
        return next((tag for name in _WRITTEN_IN[script] for tag in candidates if primary(tag) == name), None)
    latin = [tag for tag in candidates if primary(tag) not in _OTHER_SCRIPTS]
    if len({primary(tag) for tag in latin}) < 2:
        # A word or two in Latin letters, a name, may stand in any language.
        return latin[0] if latin and (len(latin) == len(candidates) or len(words_of(text)) > 2) else None
    if (tag := _by_function_words(text, latin)) is not None or classify is None:
        return tag
    name, confidence = classify(text)
    return next((tag for tag in latin if primary(tag) == name), None) if confidence >= _SURE else None


def _script_of(text: str) -> str | None:
    """The script that a text is in; None without letters, or where no script prevails or is known."""
    scripts: Counter[str] = Counter()
    for character in text:
        if script := _script(character):
            scripts[script] += _WEIGHT.get(script, 1)
    if not scripts:
        return None
    if scripts["HIRAGANA"] + scripts["KATAKANA"]:
        # Japanese mixes three scripts, and nobody else writes kana.
        scripts["HIRAGANA"] += scripts.pop("KATAKANA", 0) + scripts.pop("CJK", 0)
    script, letters = scripts.most_common(1)[0]
    if 2 * letters <= scripts.total():
        return None
    return script if script == _LATIN or script in _WRITTEN_IN else None


@functools.lru_cache(maxsize=4096)
def _script(character: str) -> str:
    if not character.isalpha():
        return ""
    name = unicodedata.name(character, "").split(" ", 1)[0]
    return "LATIN" if name in {"FULLWIDTH", "FEMININE", "MASCULINE"} else name


def _by_function_words(text: str, candidates: Sequence[str]) -> str | None:
    words = words_of(text)
    found = []
    for tag in candidates:
        vocabulary = _function_words(primary(tag))
        if not vocabulary:
            return None  # a language that cannot be recognised cannot be ruled out
        found.append((sum(word in vocabulary for word in words), tag))
    found.sort(key=lambda count_and_tag: count_and_tag[0], reverse=True)
    (most, tag), (second, _) = found[:2]
    return tag if most > second + (second > 0) else None


@functools.cache
def _function_words(language: str) -> frozenset[str]:
    """The small words of a language, from the cues of turn-taking; empty where there are none for it."""
    cues = load_cues(language)
    if language != "en" and cues is load_cues("en"):
        return frozenset()
    sets = (cues.incomplete, cues.stranded, cues.complete, cues.backchannels, cues.interruptions)
    return frozenset(word for phrases in sets for phrase in phrases.phrases for word in phrase if len(word) > 1)


@functools.cache
def _load_model() -> Any:
    """The classifier with all its languages, 75 MB; None where it is not installed."""
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415 - optional, and slow to load
    except ImportError:
        return None
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


@functools.lru_cache(maxsize=16)
def _load_classifier(languages: tuple[str, ...]) -> Classify | None:
    identifier = copy.copy(_load_model())
    if identifier is None:
        return None
    try:
        identifier.set_languages(list(languages))
    except ValueError:
        return None  # it does not know one of them

    def classify(text: str) -> tuple[str, float]:
        name, confidence = identifier.classify(text)
        return str(name), float(confidence)

    return classify
