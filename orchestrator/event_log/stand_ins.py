"""Private text in a log that must not hold it: words become numbers, and what the cues said of the text is kept.

The turn engine looks at a text in two ways. It compares words: a final with the partial before it, a speculative
question with the one that was committed. And it asks the cues of the language: does this look unfinished, is it a sign
of listening, does it take the floor? So a text is written as

    ``{"words": [4, 5, 4], "end": ",", "cues": {"looks_unfinished": true}, "first": {"is_backchannel": true}}``

``cues`` are the answers about the whole, ``first`` those about its first word alone; answers that are no are left out.

Equal words get equal numbers, in order of appearance, and the cues' answers stand beside them: the decisions of the
recorded call can be computed again, those under other settings mostly too. Not kept are the words, their spelling, the
characters between them, and which keys were pressed.

What stays visible: how many words each text had, which of them repeat, and what the cues make of the whole. A sign of
listening and an interruption are narrow sets of words; that one of them was said can be seen. Numbers that stood for
the same words all call long would be a code that patient counting breaks, so they are given anew: once no turn is open,
the numbers of the turns before the last are forgotten. There is no key to lose, since nothing is computed from a word:
its number is only its place in the call, and the table is in memory alone. Caller and agent share the numbers, because
the engine tells an echo by its words: who knows one text, such as the greeting, can find its words in the two exchanges
beside it.

What is lost to a replay: that a recogniser misheard a word of the agent's own echo as a similar one. Stand-ins are
equal or they are not.
"""

from __future__ import annotations

import inspect
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from orchestrator.engine import Cues, words_of

# Fields that hold pressed keys: the engine must see whether one is the # that ends an entry, not which digit it is.
_KEYS = frozenset({"digit", "digits", "keys"})
_CUT_END = 3
# Texts of up to so many words are asked about their first word too: "yes, please do".
_SHORT = 8
_ANSWERS = ("bool", "int", "float", bool, int, float)


class StandIns:
    """Masks the texts of one call. For one thread."""

    def __init__(self, cues: Cues) -> None:
        """Ask ``cues`` about every text of an event."""
        self._questions = tuple(_questions(cues))
        self._numbers: dict[str, int] = {}
        self._before: dict[str, int] = {}
        self._given = 0

    def text(self, name: str, text: str) -> Any:
        """What is written for the private field ``name`` of an event."""
        masked = self.words(name, text)
        if isinstance(masked, dict):
            masked["cues"] = self._affirmed(text)
            if 1 < len(masked["words"]) <= _SHORT:
                masked["first"] = self._affirmed(words_of(text)[0])
        return masked

    def answers(self, text: str) -> dict[str, Any]:
        """What the cues say of a text."""
        return {question: ask(text) for question, ask in self._questions}

    def speak(self, cues: Cues) -> None:
        """The call goes on in another language."""
        self._questions = tuple(_questions(cues))

    def words(self, name: str, text: str) -> Any:
        """The same for an action, which nobody asks the cues about."""
        if name in _KEYS:
            return "".join("0" if key.isalnum() else key for key in text)
        masked: dict[str, Any] = {"words": [self._number(word) for word in words_of(text)]}
        if end := _end_of(text):
            masked["end"] = end
        return masked

    def forget(self) -> None:
        """No turn is open: nothing said so far is compared with anything later, but for an echo of the last words."""
        self._before, self._numbers = self._numbers, {}

    def _affirmed(self, text: str) -> dict[str, Any]:
        return {question: answer for question, answer in self.answers(text).items() if answer}

    def _number(self, word: str) -> int:
        number = self._numbers.get(word) or self._before.get(word)
        if number is None:
            self._given += 1
            number = self._numbers[word] = self._given
        return number


def _questions(cues: Cues) -> Iterator[tuple[str, Callable[[str], Any]]]:
    """Everything the cues can be asked about a text and nothing but a text."""
    for name, method in inspect.getmembers(cues, callable):
        if name.startswith("_"):
            continue
        try:
            signature = inspect.signature(method)
        except ValueError:
            continue
        names = list(signature.parameters)
        optional = [one.default is not one.empty for one in signature.parameters.values()]
        # Yes or no, or a number: a text in an answer would be the caller's words again.
        if names[:1] == ["text"] and all(optional[1:]) and signature.return_annotation in _ANSWERS:
            yield name, method


def _end_of(text: str) -> str:
    """The punctuation that a text ends with, which recognisers give as a sign of completeness."""
    stripped = text.rstrip()
    kept = ""
    while stripped and len(kept) < _CUT_END and unicodedata.category(stripped[-1])[0] in "PS":
        kept = stripped[-1] + kept
        stripped = stripped[:-1]
    return kept


class RecordedCues:
    """Answers for stand-ins what the cues answered for the texts. Any question that was recorded is a method."""

    def __init__(self, of_nothing: Mapping[str, Any]) -> None:
        """Know the answers for the empty text; others are told by `text_for`."""
        self._answers: dict[str, Mapping[str, Any]] = {"": of_nothing}
        self._questions = frozenset(of_nothing)
        self._ends: dict[str, Mapping[str, Any]] = {}
        self.guessed = 0
        """Questions that were not recorded for the text, answered from the text most like it, or with no."""

    def text_for(self, masked: Mapping[str, Any]) -> str:
        """A text with the words, the end and the answers of ``masked``.

        Raises:
            ValueError: it is not what `StandIns` writes.
        """
        numbers, answers = masked.get("words"), masked.get("cues")
        if not isinstance(numbers, list) or not all(type(number) is int for number in numbers):
            raise ValueError("a masked text has no words")
        # Digits keep a stand-in from resembling another, the last letter from being its beginning.
        words = [f"w{number}w" for number in numbers]
        text = " ".join(words) + str(masked.get("end", ""))
        if not isinstance(answers, Mapping):
            return text
        if isinstance(first := masked.get("first"), Mapping) and words:
            self._answers.setdefault(words[0], first)
        # The same words with the same end may have been asked about with other punctuation between them.
        while self._answers.setdefault(text, answers) != answers:
            text = "." + text
        if words:
            self._ends[words[-1]] = answers
        return text

    def as_cues(self) -> Cues:
        """This, for the engine, which takes the cues of a language."""
        return cast(Cues, self)

    def __getattr__(self, question: str) -> Callable[..., Any]:
        """A question, as a method of the text."""
        if question.startswith("_"):
            raise AttributeError(question)
        return lambda text, *_, **__: self._answer(question, text)

    def _answer(self, question: str, text: str) -> Any:
        answers = self._answers.get(text)
        if answers is None:
            # Joined or cut texts: how a text ends says most about whether it is complete.
            answers = self._ends.get((words_of(text) or ("",))[-1])
        if text not in self._answers or question not in self._questions:
            self.guessed += 1
        return False if answers is None else answers.get(question, False)
