"""The model's words, their phones, and its tokenizer: a byte-level one with Whisper's own special tokens."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pocketsphinx
from faster_whisper.tokenizer import _LANGUAGE_CODES
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from scripts.embedded_whisper.sentences import english_texts, german_texts, loose_words, words_of

_TIMESTAMPS: Final = 1501
TIMESTAMP_S: Final = 0.02
"""Grain of the timestamp tokens."""
_STRANGE_WORDS: Final = 6000
# Words that CMU's dictionary lacks.
_OWN_PHONES: Final = {
    "mm-hmm": "M HH M", "mm": "M", "hm": "HH M", "um": "AH M", "uh": "AH", "er": "ER", "ah": "AA",
    "theorise": "TH IY ER AY Z",
}  # fmt: skip


@dataclass(frozen=True)
class Vocabulary:
    """What the model can write."""

    english: tuple[str, ...]
    german: tuple[str, ...]
    loose: tuple[str, ...]
    """English words that no other one sounds like."""
    strange: tuple[str, ...]
    """Words that the model is taught not to know; those of odd number are kept for the examination."""
    phones: dict[str, tuple[str, ...]]
    """Pronunciations of the English words, known and strange (CMU's phones without stress)."""

    @property
    def words(self) -> tuple[str, ...]:
        """Every word that is written."""
        return tuple(sorted({*self.english, *self.german}))


def build_vocabulary() -> Vocabulary:
    """Collect the words of the sentences; KeyError for one without a pronunciation."""
    dictionary = _cmu()
    english = sorted({word for text in english_texts() for word in words_of(text)})
    german = sorted({word for text in german_texts() for word in words_of(text)})
    known = {word: dictionary[word] for word in english}
    sounds = set(known.values())
    others = [word for word in sorted(dictionary) if word.isalpha() and len(word) > 2 and word not in known]
    strange = [word for word in random.Random(5).sample(others, 2 * _STRANGE_WORDS) if dictionary[word] not in sounds]
    strange = [word for word in strange if word not in german][:_STRANGE_WORDS]
    phones = {word: tuple(dictionary[word].split()) for word in (*english, *strange)}
    return Vocabulary(tuple(english), tuple(german), tuple(loose_words(known)), tuple(strange), phones)


def build_tokenizer(vocabulary: Vocabulary) -> Tokenizer:
    """One token a word, bytes for everything else.

    Ids are: 256 byte symbols, the empty string (by which CTranslate2 knows a multilingual model), the words with the
    space before them, then Whisper's specials and timestamps in Whisper's order.
    """
    symbols = sorted(pre_tokenizers.ByteLevel.alphabet())
    splitter = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces = {piece for word in vocabulary.words for piece, _ in splitter.pre_tokenize_str(f" {word}")}
    tokens = [*symbols, "", *sorted(pieces - set(symbols))]
    # Whole words are looked up before any merging: with every word in the table there is nothing to merge.
    tokenizer = Tokenizer(
        models.BPE({token: number for number, token in enumerate(tokens)}, merges=[], ignore_merges=True)
    )
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.ByteLevel()
    specials = ["endoftext", "startoftranscript", *_LANGUAGE_CODES, "translate", "transcribe", "startoflm"]
    specials += ["startofprev", "nospeech", "notimestamps"]
    tokenizer.add_special_tokens([AddedToken(f"<|{name}|>", special=True) for name in specials])
    tokenizer.add_tokens([AddedToken(f"<|{number * TIMESTAMP_S:.2f}|>") for number in range(_TIMESTAMPS)])
    return tokenizer


def _cmu() -> dict[str, str]:
    """First pronunciation of each word of CMU's dictionary, which pocketsphinx ships."""
    lines = Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict")).read_text(encoding="utf-8").splitlines()
    found = {word: phones for word, _, phones in (line.partition(" ") for line in lines) if "(" not in word}
    return {**found, **_OWN_PHONES}
