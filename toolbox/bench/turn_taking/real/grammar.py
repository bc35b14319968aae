"""A grammar of what a run's callers say: the embedded recogniser understands the sentences of one grammar only.

What is measured is turn-taking with a recogniser that streams, writes no punctuation and is at times wrong, not how
well it would understand a conversation. Every sentence is one alternative; the engine itself adds callers who break
off.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import pocketsphinx

from toolbox.bench.turn_taking.corpus import CallPlan, Take
from toolbox.bench.turn_taking.corpus.places import DIGITS

_WORD: Final = re.compile(r"[a-z]+(?:'[a-z]+)*|\d")
# Sounds of hesitation, which the dictionary of words lacks.
_HESITATIONS: Final = {"um": "AH M", "uh": "AH", "er": "ER", "erm": "ER M", "hmm": "HH M", "mhm": "M HH M", "mm": "M"}


def write_grammar(folder: Path, plans: Sequence[CallPlan]) -> tuple[str, ...]:
    """Write grammar and extra dictionary for a run's calls; the settings that make the recogniser use them.

    A word that the recogniser's dictionary lacks, such as a rare name, is left out of its sentence. Where callers do
    nothing but say these sentences, nothing that they do is taken for a noise.
    """
    known = _vocabulary()
    sentences: dict[str, None] = {}
    for plan in plans:
        for case in plan.cases:
            for take in (case.opening, case.take):
                if take is not None and (words := [word for word in _words(take) if word in known]):
                    sentences[" ".join(words)] = None
    grammar, dictionary = folder / "callers.gram", folder / "callers.dict"
    alternatives = "\n    | ".join(sentences)
    grammar.write_text(f"#JSGF V1.0;\ngrammar callers;\npublic <said> = {alternatives};\n", encoding="utf-8")
    dictionary.write_text("".join(f"{word} {phones}\n" for word, phones in _HESITATIONS.items()), encoding="utf-8")
    settings = f"stt.pocketsphinx.grammar={grammar}", f"stt.pocketsphinx.dictionary={dictionary}"
    return (*settings, "stt.pocketsphinx.rejection=0") if all(plan.brief for plan in plans) else settings


def _words(take: Take) -> Iterable[str]:
    text = " ".join(word.text for word in take.words).lower().replace("’", "'")
    return (DIGITS[int(word)] if word.isdigit() else word for word in _WORD.findall(text))


@cache
def _vocabulary() -> frozenset[str]:
    lines = Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict")).read_text(encoding="utf-8").splitlines()
    return frozenset(line.partition(" ")[0].partition("(")[0] for line in lines) | frozenset(_HESITATIONS)
