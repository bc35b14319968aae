"""From a JSGF grammar to the graph that is searched: the grammar's sentences, and everything that is not one.

A grammar alone finds a sentence in any noise. So the graph holds a second way through: a loop of single phones, each
at a price. Audio that the phones explain better than any sentence is garbage and gives no text; the price decides how
much better they must be (filler or garbage modelling: Wilpon et al., 1990).
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pocketsphinx

from servicekit.startup import StartupError

GRAMMAR_SETTING: Final = "stt.pocketsphinx.grammar"
DICTIONARY_SETTING: Final = "stt.pocketsphinx.dictionary"

_VOWELS = "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW"
_CONSONANTS = "B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH"
PHONES: Final = (*_VOWELS.split(), *_CONSONANTS.split())
_GARBAGE: Final = "_"

_BROKEN_OFF: Final = 1e-3
"""Price of a sentence that ends before its last word: callers pause, and finalize asks in the middle."""
_ANOTHER: Final = 1e-3
"""Price of one more sentence."""

Transition = tuple[int, int, float] | tuple[int, int, float, str]


@dataclass(frozen=True)
class SentenceGraph:
    """States and priced transitions, as `pocketsphinx.Decoder.create_fsg` takes them."""

    start: int
    final: int
    transitions: tuple[Transition, ...]
    vocabulary: frozenset[str]
    """The grammar's own words."""


def garbage_word(phone: str) -> str:
    """The word that stands for a stray phone."""
    return _GARBAGE + phone.lower()


def is_garbage(word: str) -> bool:
    """Whether a recognised word is a stray phone."""
    return word.startswith(_GARBAGE)


def read_sentences(grammar: Path, *, rejection: float) -> SentenceGraph:
    """Read a JSGF file with one public rule.

    Args:
        grammar: The file.
        rejection: 0 (every sound is a sentence) to 1 (the slightest doubt makes it garbage).

    Raises StartupError that names the setting when the file is missing or is no such grammar.
    """
    start, final, transitions = _compile(grammar)
    words = [transition for transition in transitions if len(transition) == 4]
    graph: list[Transition] = list(transitions)
    graph += [(state, final, _BROKEN_OFF) for state in sorted({word[1] for word in words} - {final})]
    last = max(max(transition[:2]) for transition in transitions)
    begin, end, garbage, heard = last + 1, last + 2, last + 3, last + 4
    graph += [(begin, start, 1.0), (final, end, 1.0), (end, begin, _ANOTHER)]
    if rejection > 0:
        price = 10 ** (8 * rejection - 9)
        graph.append((begin, garbage, 1.0))
        graph += [(garbage, heard, price, garbage_word(phone)) for phone in PHONES]
        graph += [(heard, garbage, 1.0), (heard, end, 1.0)]
    return SentenceGraph(begin, end, tuple(graph), frozenset(str(word[3]) for word in words))


def write_dictionary(target: Path, vocabulary: frozenset[str], *sources: Path) -> None:
    """Write the pronunciations of the vocabulary and of the stray phones, from files in CMU's format.

    A decoder that knows a hundred words instead of all 134,000 loads faster and is a fraction of the size. Raises
    StartupError that names the words without a pronunciation.
    """
    found: dict[str, str] = {}
    for source in sources:
        try:
            lines = source.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise StartupError(f"{DICTIONARY_SETTING}: cannot read {source}: {error}") from error
        for line in lines:
            entry, _, phones = line.partition(" ")
            if entry.partition("(")[0] in vocabulary:
                found[entry] = phones.strip()
    missing = sorted(vocabulary - {entry.partition("(")[0] for entry in found})
    if missing:
        raise StartupError(
            f"{GRAMMAR_SETTING}: no pronunciation is known for {', '.join(missing[:10])}: add a line such as "
            f"`hello HH AH L OW` for each to the file of {DICTIONARY_SETTING}"
        )
    stray = {garbage_word(phone): phone for phone in PHONES}
    target.write_text("".join(f"{word} {phones}\n" for word, phones in {**found, **stray}.items()), encoding="utf-8")


def _compile(grammar: Path) -> tuple[int, int, list[Transition]]:
    try:
        text = grammar.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StartupError(f"{GRAMMAR_SETTING}: cannot read {grammar}: {error}") from error
    name = re.search(r"^\s*grammar\s+([\w.-]+)\s*;", text, re.MULTILINE)
    rule = re.search(r"^\s*public\s+<([\w.-]+)>", text, re.MULTILINE)
    if name is None or rule is None:
        raise StartupError(
            f"{GRAMMAR_SETTING}: {grammar} is not a JSGF grammar: it needs a line `grammar name;` and one "
            "`public <rule> = …;`"
        )
    with tempfile.TemporaryDirectory() as folder:
        compiled = Path(folder, "grammar.fsg")
        try:
            jsgf = pocketsphinx.Jsgf(str(grammar))
            found = jsgf.get_rule(f"{name[1]}.{rule[1]}")
            jsgf.build_fsg(found, pocketsphinx.LogMath(), 1.0).writefile(str(compiled))
            lines = compiled.read_text(encoding="utf-8").splitlines()
        except (ValueError, RuntimeError, TypeError, OSError) as error:
            raise StartupError(f"{GRAMMAR_SETTING}: {grammar} is not a valid JSGF grammar: {error}") from error
    return _parse(grammar, lines)


def _parse(grammar: Path, lines: list[str]) -> tuple[int, int, list[Transition]]:
    """Read sphinxbase's text form of a finite-state grammar."""
    start = final = -1
    transitions: list[Transition] = []
    for line in lines:
        match line.split():
            case ["START_STATE", state]:
                start = int(state)
            case ["FINAL_STATE", state]:
                final = int(state)
            case ["TRANSITION", source, target, price]:
                transitions.append((int(source), int(target), float(price)))
            case ["TRANSITION", source, target, price, word]:
                transitions.append((int(source), int(target), float(price), word))
    if not any(len(transition) == 4 for transition in transitions):
        raise StartupError(f"{GRAMMAR_SETTING}: {grammar} holds no words")
    return start, final, transitions
