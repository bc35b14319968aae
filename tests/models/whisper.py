"""A Whisper model small enough for tests: random weights, but every file and token as the real ones have them.

Built with CTranslate2's own specification and saved with its own serialiser, so that faster-whisper's real loader and
all of its decoding run on it. What it "hears" is gibberish, always the same for the same audio.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ctranslate2.specs import common_spec
from ctranslate2.specs.whisper_spec import WhisperConfig, WhisperSpec
from faster_whisper.tokenizer import _LANGUAGE_CODES
from numpy.typing import NDArray
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

Weights = NDArray[np.float32]

_WIDTH, _LAYERS, _HEADS, _MELS = 64, 2, 2, 80
_TIMESTAMPS = 1501


def build_whisper(folder: Path, *, seed: int = 0) -> Path:
    """Write a multilingual model of 2.3 MB into ``folder`` (made if need be) and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    vocabulary = [token for token, _ in sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])]
    spec = WhisperSpec(_LAYERS, _HEADS, _LAYERS, _HEADS)
    _Filler(seed).fill(spec, len(vocabulary))
    # Left alone it would mostly say timestamps and broken UTF-8: it shall say letters, so that there is a text.
    letters = {*"abcdefghijklmnopqrstuvwxyz", "Ġ"}
    spec.decoder.projection.bias = np.array([0 if token in letters else -40 for token in vocabulary], np.float32)
    spec.register_vocabulary(vocabulary)
    config = spec.config
    assert isinstance(config, WhisperConfig)
    config.suppress_ids = []
    config.suppress_ids_begin = [tokenizer.token_to_id("<|endoftext|>")]
    config.lang_ids = [tokenizer.token_to_id(f"<|{code}|>") for code in _LANGUAGE_CODES]
    config.alignment_heads = [[layer, head] for layer in range(_LAYERS // 2, _LAYERS) for head in range(_HEADS)]
    spec.validate()
    spec.optimize()
    spec.save(str(folder))
    return folder


def _tokenizer() -> Tokenizer:
    """256 byte symbols, the empty string (by which CTranslate2 knows a multilingual model), Whisper's specials."""
    symbols = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({symbol: number for number, symbol in enumerate([*symbols, ""])}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    specials = ["endoftext", "startoftranscript", *_LANGUAGE_CODES, "translate", "transcribe", "startoflm"]
    specials += ["startofprev", "nospeech", "notimestamps"]
    tokenizer.add_special_tokens([AddedToken(f"<|{name}|>", special=True) for name in specials])
    tokenizer.add_tokens([AddedToken(f"<|{number * 0.02:.2f}|>") for number in range(_TIMESTAMPS)])
    return tokenizer


class _Filler:
    """Gives every weight of a specification a random value of a sensible size."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def fill(self, spec: WhisperSpec, vocabulary: int) -> None:
        self._convolution(spec.encoder.conv1, _MELS)
        self._convolution(spec.encoder.conv2, _WIDTH)
        spec.encoder.position_encodings.encodings = self._weights(1500, _WIDTH)
        self._norm(spec.encoder.layer_norm)
        for layer in spec.encoder.layer:
            self._attention(layer.self_attention, 3 * _WIDTH, _WIDTH)
            self._feed_forward(layer.ffn)
        decoder = spec.decoder
        decoder.embeddings.weight = self._weights(vocabulary, _WIDTH)
        decoder.position_encodings.encodings = self._weights(448, _WIDTH)
        decoder.projection.weight = decoder.embeddings.weight
        self._norm(decoder.layer_norm)
        for layer in decoder.layer:
            self._attention(layer.self_attention, 3 * _WIDTH, _WIDTH)
            self._attention(layer.attention, _WIDTH, 2 * _WIDTH, _WIDTH)
            self._feed_forward(layer.ffn)

    def _weights(self, *shape: int) -> Weights:
        return (self._random.standard_normal(shape) * 0.3).astype(np.float32)

    def _convolution(self, spec: common_spec.Conv1DSpec, channels: int) -> None:
        spec.weight, spec.bias = self._weights(_WIDTH, channels, 3), self._weights(_WIDTH)

    def _norm(self, spec: common_spec.LayerNormSpec) -> None:
        spec.gamma, spec.beta = np.ones(_WIDTH, np.float32), np.zeros(_WIDTH, np.float32)

    def _linear(self, spec: common_spec.LinearSpec, outputs: int, inputs: int) -> None:
        spec.weight, spec.bias = self._weights(outputs, inputs), self._weights(outputs)

    def _attention(self, spec: object, *outputs: int) -> None:
        self._norm(spec.layer_norm)  # type: ignore[attr-defined]
        for linear, width in zip(spec.linear, outputs, strict=True):  # type: ignore[attr-defined]
            self._linear(linear, width, _WIDTH)

    def _feed_forward(self, spec: object) -> None:
        self._norm(spec.layer_norm)  # type: ignore[attr-defined]
        self._linear(spec.linear_0, 4 * _WIDTH, _WIDTH)  # type: ignore[attr-defined]
        self._linear(spec.linear_1, _WIDTH, 4 * _WIDTH)  # type: ignore[attr-defined]
