"""Whisper's network in torch, with what only training needs: phones over the encoder, words under the attention."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

MELS = 80
MOST_POSITIONS, MOST_TOKENS = 1500, 448

_CONVOLUTION_GAIN = 2.0
_NEAR_GAIN, _NEAR_NOISE = 1.4, 0.5
_OFFSETS = ((-3, 0, 3), (-5, 5), (-8, 8), (-12, 12))
"""Where the heads of each encoder layer begin to look, in positions of 20 ms; the others anywhere."""


@dataclass(frozen=True)
class Shape:
    """How large the model is."""

    width: int = 192
    heads: int = 3
    encoder_layers: int = 4
    decoder_layers: int = 2
    guided_heads: int = 2
    """Heads of the last decoder layer that are taught where each word is heard: the alignment heads."""


@dataclass(frozen=True)
class Heard:
    """What the network makes of a batch."""

    logits: Tensor
    """``[b, t, vocabulary]``."""
    phones: Tensor
    """``[b, positions, phone classes]``."""
    attention: Tensor
    """Cross-attention of the last layer's guided heads ``[b, guided, t, positions]``."""
    looking_back: Tensor
    """Cross-attention of the first layer's first head ``[b, 1, t, positions]``."""


class Attention(nn.Module):
    """Of one sequence to itself, or with ``cross`` to another."""

    def __init__(self, shape: Shape, *, cross: bool = False) -> None:
        super().__init__()
        self.heads = shape.heads
        # Projections of the same input are one matrix, as CTranslate2 has them.
        self.query = nn.Linear(shape.width, shape.width) if cross else None
        self.rest = nn.Linear(shape.width, (2 if cross else 3) * shape.width)
        self.out = nn.Linear(shape.width, shape.width)

    def forward(self, x: Tensor, source: Tensor | None = None, *, causal: bool = False) -> tuple[Tensor, Tensor]:
        """What is attended to ``[b, t, width]``, and how much to each ``[b, heads, t, positions]``."""
        if self.query is None or source is None:
            query, key, value = map(self._split, self.rest(x).chunk(3, dim=-1))
        else:
            query = self._split(self.query(x))
            key, value = map(self._split, self.rest(source).chunk(2, dim=-1))
        # Written out: on a CPU torch's fused attention takes twice as long to train.
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
        if causal:
            length = x.shape[1]
            scores = scores.masked_fill(torch.ones(length, length, dtype=torch.bool).triu(1), -1e4)
        weights = scores.softmax(dim=-1)
        return self.out((weights.to(value.dtype) @ value).transpose(1, 2).flatten(2)), weights

    def look_near(self, offsets: Sequence[int]) -> None:
        """Begin with heads that look so many positions ahead (behind, if negative) of where they are.

        The product of two of Whisper's position encodings depends on their distance only: queries and keys that pass
        them on, the queries turned by the offset, attend to a neighbourhood from the start. Found by training alone,
        neighbourhoods took this model most of an hour.
        """
        width = self.out.in_features
        size, half = width // self.heads, width // 2
        scales = _scales(width)[: size // 2]
        pairs = torch.arange(size // 2)
        with torch.no_grad():
            for head, offset in enumerate(offsets[: self.heads]):
                for part, turn in ((0, offset * scales), (1, torch.zeros(size // 2))):
                    first = part * width + head * size
                    rows = self.rest.weight[first : first + size]
                    rows.mul_(_NEAR_NOISE)
                    sines, cosines = rows[: size // 2], rows[size // 2 :]
                    sines[pairs, pairs] += _NEAR_GAIN * turn.cos()
                    sines[pairs, half + pairs] += _NEAR_GAIN * turn.sin()
                    cosines[pairs, half + pairs] += _NEAR_GAIN * turn.cos()
                    cosines[pairs, pairs] -= _NEAR_GAIN * turn.sin()

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], self.heads, -1).transpose(1, 2).contiguous()


class Block(nn.Module):
    """One layer: attention to itself, a decoder's also to the encoder, then the feed-forward part."""

    def __init__(self, shape: Shape, *, cross: bool) -> None:
        super().__init__()
        width = shape.width
        self.attention, self.attention_norm = Attention(shape), nn.LayerNorm(width)
        self.cross = Attention(shape, cross=True) if cross else None
        self.cross_norm = nn.LayerNorm(width) if cross else None
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, source: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The block's output and its weights of cross-attention (of an encoder's block: of its own attention)."""
        attended, weights = self.attention(self.attention_norm(x), causal=source is not None)
        x = x + attended
        if self.cross is not None and self.cross_norm is not None:
            attended, weights = self.cross(self.cross_norm(x), source)
            x = x + attended
        return x + self.narrow(functional.gelu(self.widen(self.norm(x)))), weights


class TinyWhisper(nn.Module):
    """Radford et al., *Robust Speech Recognition via Large-Scale Weak Supervision*, 2022, made small."""

    def __init__(self, shape: Shape, vocabulary: int, phone_classes: int) -> None:
        """Begin with random weights."""
        super().__init__()
        self.shape = shape
        width = shape.width
        self.conv1 = nn.Conv1d(MELS, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        for convolution in (self.conv1, self.conv2):
            # As loud as the positions: with torch's own beginning they drown what is heard.
            nn.init.normal_(convolution.weight, std=_CONVOLUTION_GAIN / convolution.weight[0].numel() ** 0.5)
        self.encoder = nn.ModuleList(Block(shape, cross=False) for _ in range(shape.encoder_layers))
        for block, offsets in zip(self.encoder, _OFFSETS, strict=False):
            cast(Block, block).attention.look_near(offsets)
        self.encoder_norm = nn.LayerNorm(width)
        self.phones = nn.Linear(width, phone_classes)
        self.embeddings = nn.Embedding(vocabulary, width)
        nn.init.normal_(self.embeddings.weight, std=0.05)
        self.token_positions = nn.Parameter(0.1 * sinusoids(MOST_TOKENS, width))
        self.decoder = nn.ModuleList(Block(shape, cross=True) for _ in range(shape.decoder_layers))
        self.decoder_norm = nn.LayerNorm(width)
        # Each channel finds for itself how loud its positions are.
        self.loudness = nn.Parameter(torch.ones(width))
        self.register_buffer("sinusoids", sinusoids(MOST_POSITIONS, width), persistent=False)

    def positions(self) -> Tensor:
        """What is added to the encoder's positions ``[1500, width]``."""
        return self.loudness * cast(Tensor, self.sinusoids)

    def encode(self, features: Tensor) -> Tensor:
        """Features ``[b, 80, frames]`` to ``[b, frames / 2, width]``."""
        x = functional.gelu(self.conv2(functional.gelu(self.conv1(features)))).transpose(1, 2)
        x = x + self.positions()[: x.shape[1]]
        for block in self.encoder:
            x, _ = block(x)
        return cast(Tensor, self.encoder_norm(x))

    def forward(self, features: Tensor, tokens: Tensor) -> Heard:
        """Listen, and say the next token behind each of ``tokens`` ``[b, t]``."""
        encoded = self.encode(features)
        x = self.embeddings(tokens) + self.token_positions[: tokens.shape[1]]
        attentions: list[Tensor] = []
        for block in self.decoder:
            x, attention = block(x, encoded)
            attentions.append(attention.float())
        logits = functional.linear(self.decoder_norm(x), self.embeddings.weight)
        guided = attentions[-1][:, : self.shape.guided_heads]
        return Heard(logits, self.phones(encoded), guided, attentions[0][:, :1])


def sinusoids(length: int, width: int) -> Tensor:
    """Whisper's fixed position encodings ``[length, width]``."""
    angles = torch.arange(length)[:, None] * _scales(width)
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def _scales(width: int) -> Tensor:
    """Radians by which each pair of channels turns from one position to the next ``[width / 2]``."""
    return torch.exp(-math.log(10_000) / (width // 2 - 1) * torch.arange(width // 2))
