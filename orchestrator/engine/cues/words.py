"""The words of a transcript, as two transcripts are compared and phrases are looked up."""

from __future__ import annotations

import functools
import re
import sys
import unicodedata

# Scripts written without spaces: each character counts as a word, so that a phrase is found wherever it stands.
UNSPACED = "\u3005-\u3007\u3041-\u3096\u30a1-\u30fa\u30fc-\u30fe\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"


def _combining_marks() -> str:
    """Every combining mark as a character class: Indic vowel signs are none of ``\\w`` and would cut words in two."""
    ranges: list[tuple[int, int]] = []
    for code in range(0x300, min(0x1E950, sys.maxunicode)):
        if not unicodedata.category(chr(code)).startswith("M"):
            continue
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1] = ranges[-1][0], code
        else:
            ranges.append((code, code))
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


_LETTER = rf"[^\W_{UNSPACED}]"
_RUN = rf"{_LETTER}+(?:[{_combining_marks()}]+{_LETTER}*)*"
_WORD = re.compile(rf"[{UNSPACED}]|{_RUN}(?:['-]{_RUN})*")
# Joiners are invisible and written by some keyboards only; dotted and dotless i differ by locale of whoever
# lower-cased the text ("HAYIR", "hayır"); İ in lower case is an i with a combining dot.
_SAME = str.maketrans({"\u200b": "", "\u200c": "", "\u200d": "", "\u2019": "'", "\u2018": "'", "\u2010": "-", "ı": "i"})


@functools.lru_cache(maxsize=2048)
def words_of(text: str) -> tuple[str, ...]:
    """The words of a text, without case and punctuation: what two transcripts are compared by.

    Japanese and Chinese, which have no spaces, give one word a character. Not for display: ß is ss, ı is i.
    """
    folded = unicodedata.normalize("NFKC", text.translate(_SAME)).casefold().replace("i\u0307", "i")
    return tuple(_WORD.findall(folded))


def is_unspaced(word: str) -> bool:
    """Whether a word of `words_of` is a character of a script without spaces."""
    return len(word) == 1 and _UNSPACED.match(word) is not None


_UNSPACED = re.compile(f"[{UNSPACED}]")
