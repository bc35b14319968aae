"""When each word was said: CTranslate2's alignment of text and audio, by the model's own alignment heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import ctranslate2
import faster_whisper
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import merge_punctuations

from stt_service.engines.interface import Word

_OPENING = "\"'“¿([{-"
_CLOSING = "\"'.。,，!！?？:：”)]}、"


@dataclass(frozen=True, slots=True)
class Piece:
    """A word as the tokenizer divides texts: its leading space included, punctuation apart, in some scripts a sign."""

    text: str
    start_s: float = 0.0
    """From the start of the audio that was decoded; 0 like the others where nobody asked for times."""
    end_s: float = 0.0
    confidence: float = 0.0

    @property
    def is_punctuation(self) -> bool:
        """Whether it belongs to the word beside it."""
        return not any(character.isalnum() for character in self.text)


def pieces_of(tokenizer: Tokenizer, tokens: Sequence[int]) -> tuple[Piece, ...]:
    """Divide a text's tokens."""
    words, _ = tokenizer.split_to_word_tokens(list(tokens))
    return tuple(Piece(word) for word in words)


def timed_pieces(
    model: faster_whisper.WhisperModel,
    tokenizer: Tokenizer,
    tokens: Sequence[int],
    encoded: ctranslate2.StorageView,
    frames: int,
) -> tuple[Piece, ...]:
    """Divide a text's tokens and align them with its audio: ``[1, t, d]`` encoded, of which ``frames`` are not padding.

    The same pieces as `pieces_of` gives.
    """
    if not tokens:
        return ()
    (alignment,) = model.find_alignment(tokenizer, [list(tokens)], encoded, frames)
    return tuple(
        Piece(word["word"], float(word["start"]), float(word["end"]), float(word["probability"]))
        for word in alignment
        if word["word"]
    )


def words_of(pieces: Sequence[Piece]) -> tuple[Word, ...]:
    """Words as people count them, punctuation with the word that it belongs to."""
    merged = [
        {"word": piece.text, "tokens": [], "start": piece.start_s, "end": piece.end_s, "probability": piece.confidence}
        for piece in pieces
    ]
    if merged:
        merge_punctuations(merged, _OPENING, _CLOSING)
    return tuple(
        Word(str(word["word"]).strip(), float(word["start"]), float(word["end"]), float(word["probability"]))  # type: ignore[arg-type]
        for word in merged
        if str(word["word"]).strip()
    )
