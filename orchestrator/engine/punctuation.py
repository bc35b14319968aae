"""Does the recogniser close sentences with a mark? Where it does, a transcript without one is no whole sentence.

Recognisers that punctuate hear a voice that stays up and a phrase that breaks off, and leave the mark out. Others never
write one. Which of the two a call has is learned from the turns that were committed: one that was cut off is seldom
without its like that was not.
"""

from __future__ import annotations

from orchestrator.engine.cues import words_of

_MARKS = (".", "?", "!", "…", "。", "？", "！", "؟", "।")
_QUOTES = " \t\n\"'”’»)」』"
# A recogniser that punctuates leaves the mark out behind a word or two that stand alone.
_SENTENCE_WORDS = 3
# A mark tells more than its absence, which may be that of a caller who was cut off.
_MARKED, _UNMARKED = 0.4, 0.2


class Punctuation:
    """How sure it is that this call's recogniser closes whole sentences with a mark."""

    def __init__(self) -> None:
        self._share = 0.0
        self._known = False

    def learn(self, text: str) -> None:
        """A turn was committed with this transcript."""
        if not _is_long(text):
            return
        marked = _is_closed(text)
        weight = (_MARKED if marked else _UNMARKED) if self._known else 1.0
        self._share += weight * (float(marked) - self._share)
        self._known = True

    def is_missed(self, text: str) -> bool:
        """Whether a text without a closing mark is that of a caller who has not finished."""
        return self._share >= 0.5 and _is_long(text) and not _is_closed(text)


def _is_closed(text: str) -> bool:
    return text.rstrip(_QUOTES).endswith(_MARKS)


def _is_long(text: str) -> bool:
    return len(words_of(text)) >= _SENTENCE_WORDS
