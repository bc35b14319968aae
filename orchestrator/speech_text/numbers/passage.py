"""What the recognisers of numbers look at and give back."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from orchestrator.speech_text.numbers.window import BLANKS, DIGITS, joined

# So many code points are said as this.
Reading: TypeAlias = tuple[int, str]


class Passage(NamedTuple):
    """A window of text and its surroundings. What is recognised in it begins at its beginning."""

    text: str
    # One to three code points behind it.
    after: str
    # The word before it, and the code point before it; "" for none.
    word: str
    before: str

    def behind(self, end: int) -> str:
        """What follows the first `end` code points, as far as it is known."""
        return self.text[end:] + self.after

    def clean(self, end: int) -> bool:
        """Whether a number can end there: no letter and no further part of a number follows."""
        behind = self.behind(end)
        if not behind:
            return True
        if joined(behind[0]):
            return False
        return not (behind[0] in ".,:/-–−'’" and behind[1:2] in DIGITS and len(behind) > 1)

    def before_a_word(self, end: int) -> bool:
        """Whether a blank and a word follow."""
        behind = self.behind(end)
        return len(behind) > 1 and behind[0] in BLANKS and behind[1].isalpha()
