"""Which language is this call in?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.languages.tags import allowed_as

# Two utterances in one language settle it; two in a row in another, of which the recogniser is sure, move it.
_AGREE = 2
DEFAULT_CONFIDENCE = 0.6


@dataclass(frozen=True, slots=True)
class Recognition:
    """What to tell the recogniser about the next utterance."""

    languages: tuple[str, ...]
    """BCP 47, likeliest first."""
    detect: bool
    """Whether to detect the language among them; False where there is only one."""


class LanguageChoice:
    """Follows the caller's language from transcript to transcript; pure, one per call.

    Until two utterances agree, the language is that of the last one that was detected; then it stays, so that a name or
    a borrowed word moves nothing, until two others in a row agree on another. Only allowed languages are ever chosen.
    Detection stays on as long as several are allowed, or a switch could not be noticed.
    """

    def __init__(
        self, allowed: Sequence[str], start: str = "", *, settled: bool = False, confidence: float = DEFAULT_CONFIDENCE
    ) -> None:
        """Begin with ``start``, or the likeliest of the ``allowed`` tags; ``settled`` for a call that is taken over.

        Args:
            allowed: BCP 47 tags, likeliest first; a tag's region is kept when only its language is detected.
            start: The language to begin in; allowed too.
            settled: Whether ``start`` was agreed on before.
            confidence: The recogniser's confidence, 0 to 1, below which a detected language is ignored.

        Raises:
            ValueError: nothing is allowed.
        """
        tags: tuple[str, ...] = tuple(dict.fromkeys(tag for tag in (*((start,) if start else ()), *allowed) if tag))
        if not tags:
            raise ValueError("a call needs a language")
        self._allowed = tags
        self._confidence = confidence
        self._language: str = tags[0]
        self._settled = settled or len(tags) == 1
        self._votes: dict[str, int] = {}
        self._other = ""
        self._others = 0

    @property
    def language(self) -> str:
        """The call's language as things stand: one of the allowed tags."""
        return self._language

    @property
    def settled(self) -> bool:
        """Whether two utterances have agreed, or there is no choice."""
        return self._settled

    @property
    def recognition(self) -> Recognition:
        """What to tell the recogniser about the next utterance."""
        others = tuple(tag for tag in self._allowed if tag != self._language)
        return Recognition((self._language, *others), detect=bool(others))

    def hear(self, language: str, confidence: float) -> str:
        """Take note of a final transcript's language and the confidence in it, 0 to 1; 0 means not detected.

        Once for each utterance. Returns the call's language from here on.
        """
        tag = allowed_as(language, self._likeliest_first())
        if tag is None or not confidence >= self._confidence:  # NaN is no confidence either
            # An utterance that says nothing certain is no agreement, nor in a row with what surrounds it.
            self._others = 0
        elif not self._settled:
            self._language = tag
            self._votes[tag] = self._votes.get(tag, 0) + 1
            self._settled = self._votes[tag] >= _AGREE
        elif tag == self._language:
            self._others = 0
        else:
            self._others = self._others + 1 if tag == self._other else 1
            self._other = tag
            if self._others >= _AGREE:
                self._language, self._others = tag, 0
        return self._language

    def _likeliest_first(self) -> tuple[str, ...]:
        return self.recognition.languages
