"""From the trained network to a CTranslate2 model as faster-whisper loads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ctranslate2.specs import common_spec
from ctranslate2.specs.whisper_spec import WhisperConfig, WhisperSpec
from faster_whisper.tokenizer import _LANGUAGE_CODES
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn

from scripts.embedded_whisper.network import Block, TinyWhisper


def export(model: TinyWhisper, tokenizer: Tokenizer, folder: Path, *, quantization: str | None) -> Path:
    """Write the model into ``folder`` (made if need be), its weights as int8, int16 or, with None, float32."""
    folder.mkdir(parents=True, exist_ok=True)
    shape = model.shape
    vocabulary = [token for token, _ in sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])]
    spec = WhisperSpec(shape.encoder_layers, shape.heads, shape.decoder_layers, shape.heads)
    _fill_encoder(spec, model)
    _fill_decoder(spec, model)
    spec.register_vocabulary(vocabulary)
    config = spec.config
    assert isinstance(config, WhisperConfig)
    config.suppress_ids = []
    # It was taught to say nothing where nothing is said: an empty text is allowed.
    config.suppress_ids_begin = []
    config.lang_ids = [tokenizer.token_to_id(f"<|{code}|>") for code in _LANGUAGE_CODES]
    config.alignment_heads = [[shape.decoder_layers - 1, head] for head in range(shape.guided_heads)]
    spec.validate()
    spec.optimize(quantization)
    spec.save(str(folder))
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def _fill_encoder(spec: WhisperSpec, model: TinyWhisper) -> None:
    encoder = spec.encoder
    for target, source in ((encoder.conv1, model.conv1), (encoder.conv2, model.conv2)):
        assert source.bias is not None
        target.weight, target.bias = _array(source.weight), _array(source.bias)
    encoder.position_encodings.encodings = _array(model.positions())
    _norm(encoder.layer_norm, model.encoder_norm)
    for target, block in zip(encoder.layer, model.encoder, strict=True):
        assert isinstance(block, Block)
        _self_attention(target.self_attention, block)
        _feed_forward(target.ffn, block)


def _fill_decoder(spec: WhisperSpec, model: TinyWhisper) -> None:
    decoder = spec.decoder
    decoder.embeddings.weight = _array(model.embeddings.weight)
    decoder.position_encodings.encodings = _array(model.token_positions)
    decoder.projection.weight = decoder.embeddings.weight
    _norm(decoder.layer_norm, model.decoder_norm)
    for target, block in zip(decoder.layer, model.decoder, strict=True):
        assert isinstance(block, Block)
        cross, norm = block.cross, block.cross_norm
        assert cross is not None
        assert norm is not None
        assert cross.query is not None
        _self_attention(target.self_attention, block)
        _norm(target.attention.layer_norm, norm)
        query, both, out = target.attention.linear
        _linear(query, cross.query)
        _linear(both, cross.rest)
        _linear(out, cross.out)
        _feed_forward(target.ffn, block)


def _self_attention(spec: object, block: Block) -> None:
    _norm(spec.layer_norm, block.attention_norm)  # type: ignore[attr-defined]
    fused, out = spec.linear  # type: ignore[attr-defined]
    _linear(fused, block.attention.rest)
    _linear(out, block.attention.out)


def _feed_forward(spec: object, block: Block) -> None:
    _norm(spec.layer_norm, block.norm)  # type: ignore[attr-defined]
    _linear(spec.linear_0, block.widen)  # type: ignore[attr-defined]
    _linear(spec.linear_1, block.narrow)  # type: ignore[attr-defined]


def _norm(spec: common_spec.LayerNormSpec, norm: nn.LayerNorm) -> None:
    spec.gamma, spec.beta = _array(norm.weight), _array(norm.bias)


def _linear(spec: common_spec.LinearSpec, linear: nn.Linear) -> None:
    spec.weight, spec.bias = _array(linear.weight), _array(linear.bias)


def _array(values: Tensor) -> NDArray[np.float32]:
    return values.detach().float().numpy().copy()
