"""Batches: windows of several lengths, their tokens, where each token is heard, and their phones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from scripts.embedded_whisper.corpus import Corpus, all_words
from scripts.embedded_whisper.lines import Line, LineMaker, log_mel
from scripts.embedded_whisper.vocabulary import TIMESTAMP_S, Vocabulary, build_tokenizer

POSITIONS_PER_S: Final = 50
_SPEECH_PER_BATCH_S: Final = 80
_WINDOWS_S: Final = (5, 10, 15, 30)
_WINDOW_SHARES: Final = (0.62, 0.23, 0.08, 0.07)
_PROMPTS: Final = ((0, 0), (1, 12), (12, 80), (80, 200))
_PROMPT_SHARES: Final = (0.7, 0.2, 0.07, 0.03)
_WIDE, _TIMESTAMPS, _FILLED = 0.1, 0.15, 0.3
_EASE_DB: Final = 12.0
_MOST_TOKENS: Final = 440
_KNOWN_SHARE: Final = 0.5
"""An utterance of which less is known is heard as nothing."""
_PHONES: Final = (
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH", "IY", "JH",
    "K", "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH",
)  # fmt: skip
PHONE_CLASSES: Final = len(_PHONES) + 2
"""Blank, the phones, the gap between words."""


@dataclass(frozen=True)
class Batch:
    """One step's work."""

    features: torch.Tensor
    """``[b, 80, frames]``."""
    tokens: torch.Tensor
    """``[b, t]``: what the decoder is given."""
    targets: torch.Tensor
    """``[b, t]``: what it shall say next; -100 where nothing is asked."""
    spans: torch.Tensor
    """``[b, t, 2]``: encoder positions in which the next token is heard; first == last where nothing is asked."""
    phones: torch.Tensor
    """All utterances' phones, one behind another."""
    phone_counts: torch.Tensor
    """``[b]``; 0 for those that have none (German)."""
    positions: torch.Tensor
    """``[b]``: encoder positions that hold audio."""
    places: torch.Tensor
    """``[b, positions]``: which phone each encoder position is about in, all phones of a word as long; -100 unknown."""


class BatchMaker:
    """Makes the batch of any step, the same for the same seed: quiet lines at first, as they are from half-way on.

    What a phone is, is learned several times sooner from lines without noise.
    """

    def __init__(self, corpus: Corpus, vocabulary: Vocabulary, *, seed: int, steps: int) -> None:
        tokenizer = build_tokenizer(vocabulary)
        known = set(vocabulary.words)
        words = all_words(vocabulary)
        self._lines = LineMaker(corpus)
        self._seed = seed
        self._steps = steps
        # By number of the word; nothing for strange ones.
        self._word_tokens = [tokenizer.encode(f" {word}").ids if word in known else [] for word in words]
        phone = {name: number for number, name in enumerate(_PHONES, start=1)}
        self._word_phones = [[phone[name] for name in vocabulary.phones.get(word, ())] for word in words]
        self._known = len(vocabulary.words)
        special = tokenizer.get_added_tokens_decoder()
        self._ids = {token.content.strip("<|>"): number for number, token in special.items()}
        self.size = tokenizer.get_vocab_size()
        """Tokens of the vocabulary."""

    def make(self, step: int) -> Batch:
        """The batch of a step."""
        chance = np.random.default_rng((self._seed, step))
        window_s = int(chance.choice(_WINDOWS_S, p=_WINDOW_SHARES))
        wide, stamped = chance.random() < _WIDE, chance.random() < _TIMESTAMPS
        least, most = _PROMPTS[int(chance.choice(len(_PROMPTS), p=_PROMPT_SHARES))]
        prompt = int(chance.integers(least, most + 1))
        count = max(1, _SPEECH_PER_BATCH_S // window_s)
        ease_db = _EASE_DB * max(0.0, 1 - 2 * step / self._steps)
        lines = [self._lines.make(window_s, chance, wide=wide, ease_db=ease_db) for _ in range(count)]
        rows = [self._row(line, prompt, chance, stamped=stamped) for line in lines]
        width = min(_MOST_TOKENS, max(len(tokens) for tokens, _, _ in rows))
        tokens = torch.full((count, width), self._ids["endoftext"])
        targets = torch.full((count, width), -100)
        spans = torch.zeros(count, width, 2, dtype=torch.long)
        for number, (said, wanted, heard) in enumerate(rows):
            length = min(width, len(said))
            tokens[number, :length] = torch.tensor(said[:length])
            targets[number, :length] = torch.tensor(wanted[:length])
            spans[number, :length] = torch.tensor(heard[:length])
        phones = [self._phones(line) for line in lines]
        fill = chance.random(count) < _FILLED
        positions = [min(window_s * POSITIONS_PER_S, len(line.samples) // 320 + 1) for line in lines]
        features = log_mel([line.samples for line in lines], window_s, fill)
        _mask_bands(features, chance)
        return Batch(
            features,
            tokens,
            targets,
            spans.clamp(max=window_s * POSITIONS_PER_S),
            torch.tensor([phone for said in phones for phone in said]),
            torch.tensor([len(said) for said in phones]),
            torch.tensor(positions),
            torch.stack([self._places(line, window_s * POSITIONS_PER_S) for line in lines]),
        )

    def _row(
        self, line: Line, prompt: int, chance: np.random.Generator, *, stamped: bool
    ) -> tuple[list[int], list[int], list[tuple[int, int]]]:
        """Tokens, targets and spans of a line."""
        ids = self._ids
        language = ids["de" if line.german else "en"]
        text = self._text(line, stamped=stamped)
        before: list[int] = []
        if prompt:
            drawn = chance.integers(0, self._known, prompt)
            before = [token for word in drawn for token in self._word_tokens[word]][:prompt]
            before.insert(0, ids["startofprev"])
        start = [ids["startoftranscript"], language, ids["transcribe"], *([] if stamped else [ids["notimestamps"]])]
        tokens = [*before, *start, *(token for token, _ in text)]
        targets = [-100] * (len(before) + len(start) - 1) + [token for token, _ in text] + [ids["endoftext"]]
        # Behind the start of the transcript stands the language, or that nobody speaks.
        targets[len(before)] = language if line.speech else ids["nospeech"]
        spans = [(0, 0)] * (len(before) + len(start) - 1) + [span for _, span in text] + [(0, 0)]
        return tokens, targets, spans

    def _text(self, line: Line, *, stamped: bool) -> list[tuple[int, tuple[int, int]]]:
        """Tokens and where each is heard."""
        text: list[tuple[int, tuple[int, int]]] = []
        words = iter(line.words)
        stamp = self._ids["notimestamps"] + 1
        for start, end, count in line.segments:
            said = [next(words) for _ in range(count)]
            known = [entry for entry in said if self._word_tokens[entry[0]]]
            if len(known) < _KNOWN_SHARE * count or not known:
                continue
            if stamped:
                text.append((stamp + round(start / TIMESTAMP_S), _span(start, start + 0.1)))
            for word, first, last in known:
                text += [(token, _span(first, last)) for token in self._word_tokens[word]]
            if stamped:
                text.append((stamp + round(end / TIMESTAMP_S), _span(end - 0.1, end)))
        return text

    def _phones(self, line: Line) -> list[int]:
        if line.german:
            return []
        gap = PHONE_CLASSES - 1
        phones = [phone for word, _, _ in line.words for phone in (*self._word_phones[word], gap)]
        if line.fragment is not None:
            word, start, end, cut = line.fragment
            phones += self._word_phones[word][: int((cut - start) / (end - start) * len(self._word_phones[word]))]
        return phones

    def _places(self, line: Line, positions: int) -> torch.Tensor:
        places = torch.full((positions,), -100 if line.german else 0)
        fragment = [line.fragment] if line.fragment is not None else []
        for word, start, end, cut in [*((*said, said[2]) for said in line.words), *fragment]:
            phones = self._word_phones[word]
            if phones and not line.german:
                at = torch.arange(int(start * POSITIONS_PER_S), min(positions, int(cut * POSITIONS_PER_S)))
                part = (at + 0.5 - start * POSITIONS_PER_S) / max(1e-3, (end - start) * POSITIONS_PER_S)
                places[at] = torch.tensor(phones)[(part * len(phones)).long().clamp(0, len(phones) - 1)]
                if len(at) > len(phones) and cut >= end:
                    places[at[-1]] = PHONE_CLASSES - 1
        return places


def _span(start_s: float, end_s: float) -> tuple[int, int]:
    first = max(0, int(start_s * POSITIONS_PER_S))
    return first, max(first + 1, int(np.ceil(end_s * POSITIONS_PER_S)))


def _mask_bands(features: torch.Tensor, chance: np.random.Generator) -> None:
    """Hide a few mel bands of some rows (Park et al., SpecAugment, 2019)."""
    for row in np.flatnonzero(chance.random(len(features)) < 0.3):
        width, first = int(chance.integers(1, 8)), int(chance.integers(0, 56))
        features[row, first : first + width] = features[row].mean()
