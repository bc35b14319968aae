"""Whisper models with random weights: every file, token and shape as the real ones have them, and nothing learnt.

Speed and memory depend on a model's dimensions, not on what it has learnt; where weights cannot be had, these stand in.
Built with CTranslate2's own specification and saved with its own serialiser, so that faster-whisper's real loader and
all of its decoding run on them. What they "hear" is gibberish, always the same for the same audio, and they never end
a text by themselves: whoever decodes must cap the tokens.
"""

from __future__ import annotations

import itertools
import string
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs.whisper_spec import WhisperSpec
from faster_whisper.tokenizer import _LANGUAGE_CODES
from numpy.typing import NDArray
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

Weights = NDArray[np.float32]

_TIMESTAMPS = 1501
_POSITIONS, _LONGEST_TEXT = 1500, 448
_NEVER = -40.0
_SURELY = 20.0
"""Added to a token's score, in a model whose scores are of the order of ten."""
_LISTENS = 6.0
"""Factor on what the decoder takes from the audio."""


@dataclass(frozen=True)
class WhisperDimensions:
    """The shape of a Whisper model (Radford et al., 2022, table 1)."""

    width: int
    layers: int
    """Of the encoder and of the decoder, each."""
    heads: int
    words: int = 50_257
    """Tokens of text; at least 257, all above that count are there for the sake of the size alone."""
    mels: int = 80


SMALLEST = WhisperDimensions(width=64, layers=2, heads=2, words=257)
"""The least that runs through all of the library's code: 2.3 MB. Constant."""
DIMENSIONS = {
    "smallest": SMALLEST,
    "tiny": WhisperDimensions(384, 4, 6),
    "base": WhisperDimensions(512, 6, 8),
    "small": WhisperDimensions(768, 12, 12),
}
"""Of the published multilingual models, and of none. Constant."""


def build_random_whisper(
    folder: Path,
    dimensions: WhisperDimensions,
    *,
    seed: int = 0,
    quantization: str | None = None,
    hears_nobody: bool = False,
) -> Path:
    """Write a multilingual model into ``folder`` (made if need be) and return it. Blocks for seconds at real sizes.

    Args:
        folder: Where the files go.
        dimensions: How large it is.
        seed: Of the weights.
        quantization: How the weights are stored, such as ``int8``; None keeps float32.
        hears_nobody: Make it sure that nobody speaks, whatever it is given; it invents a text all the same.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer(dimensions.words)
    tokenizer.save(str(folder / "tokenizer.json"))
    vocabulary = [token for token, _ in sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])]
    spec = WhisperSpec(dimensions.layers, dimensions.heads, dimensions.layers, dimensions.heads)
    _Filler(dimensions, seed).fill(spec, len(vocabulary))
    # Left alone it would mostly say timestamps and broken UTF-8: it shall say letters, so that there is a text.
    letters = {*string.ascii_lowercase, "Ġ"}
    bias = np.array([0.0 if token in letters else _NEVER for token in vocabulary], np.float32)
    if hears_nobody:
        bias[tokenizer.token_to_id("<|nospeech|>")] = _SURELY
    spec.decoder.projection.bias = bias
    spec.register_vocabulary(vocabulary)
    config: Any = spec.config
    config.suppress_ids = []
    config.suppress_ids_begin = [tokenizer.token_to_id("<|endoftext|>")]
    config.lang_ids = [tokenizer.token_to_id(f"<|{code}|>") for code in _LANGUAGE_CODES]
    upper_half = range(dimensions.layers // 2, dimensions.layers)
    config.alignment_heads = [[layer, head] for layer in upper_half for head in range(dimensions.heads)]
    spec.validate()
    spec.optimize(quantization=quantization)
    spec.save(str(folder))
    return folder


def _tokenizer(words: int) -> Tokenizer:
    """256 byte symbols, the empty string (by which CTranslate2 knows a multilingual model), Whisper's specials."""
    symbols = sorted(pre_tokenizers.ByteLevel.alphabet())
    # Without merges nothing is ever encoded as one of the longer tokens; they only fill the table.
    longer = ("".join(letters) for letters in itertools.product(string.ascii_uppercase, repeat=4))
    entries = [*symbols, "", *itertools.islice(longer, words - len(symbols) - 1)]
    tokenizer = Tokenizer(models.BPE({symbol: number for number, symbol in enumerate(entries)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    specials = ["endoftext", "startoftranscript", *_LANGUAGE_CODES, "translate", "transcribe", "startoflm"]
    specials += ["startofprev", "nospeech", "notimestamps"]
    tokenizer.add_special_tokens([AddedToken(f"<|{name}|>", special=True) for name in specials])
    tokenizer.add_tokens([AddedToken(f"<|{number * 0.02:.2f}|>") for number in range(_TIMESTAMPS)])
    return tokenizer


class _Filler:
    """Gives every weight of a specification a random value of a sensible size."""

    def __init__(self, dimensions: WhisperDimensions, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._width, self._mels = dimensions.width, dimensions.mels
        # Sums over the width keep the size that they have at 64, where 0.3 gives lively texts.
        self._scale = np.float32(0.3 * (64 / dimensions.width) ** 0.5)

    def fill(self, spec: Any, vocabulary: int) -> None:
        width = self._width
        self._convolution(spec.encoder.conv1, self._mels)
        self._convolution(spec.encoder.conv2, width)
        spec.encoder.position_encodings.encodings = self._weights(_POSITIONS, width)
        self._norm(spec.encoder.layer_norm)
        for layer in spec.encoder.layer:
            self._attention(layer.self_attention, 3 * width, width)
            self._feed_forward(layer.ffn)
        decoder = spec.decoder
        decoder.embeddings.weight = self._weights(vocabulary, width)
        decoder.position_encodings.encodings = self._weights(_LONGEST_TEXT, width)
        decoder.projection.weight = decoder.embeddings.weight
        self._norm(decoder.layer_norm)
        for layer in decoder.layer:
            self._attention(layer.self_attention, 3 * width, width)
            self._attention(layer.attention, width, 2 * width, width)
            # What it hears shall outweigh what it has said, or all audio would give one text.
            for linear in layer.attention.linear[1:]:
                linear.weight *= np.float32(_LISTENS)
            self._feed_forward(layer.ffn)

    def _weights(self, *shape: int) -> Weights:
        return self._random.standard_normal(shape, np.float32) * self._scale

    def _convolution(self, spec: Any, channels: int) -> None:
        spec.weight, spec.bias = self._weights(self._width, channels, 3), self._weights(self._width)

    def _norm(self, spec: Any) -> None:
        spec.gamma, spec.beta = np.ones(self._width, np.float32), np.zeros(self._width, np.float32)

    def _linear(self, spec: Any, outputs: int, inputs: int) -> None:
        spec.weight, spec.bias = self._weights(outputs, inputs), self._weights(outputs)

    def _attention(self, spec: Any, *outputs: int) -> None:
        self._norm(spec.layer_norm)
        for linear, width in zip(spec.linear, outputs, strict=True):
            self._linear(linear, width, self._width)

    def _feed_forward(self, spec: Any) -> None:
        self._norm(spec.layer_norm)
        self._linear(spec.linear_0, 4 * self._width, self._width)
        self._linear(spec.linear_1, self._width, 4 * self._width)
