"""How much audio the encoder is given and how much text is taken from it: both follow what was said."""

from __future__ import annotations

import math

WHISPER_HZ = 16_000
FRAMES_PER_S = 100
FULL_WINDOW_S = 30
"""What the model was trained on, and the most that it takes."""
MODEL_LENGTH = 448
"""Tokens of prompt and text together."""

_BUCKET_S = 2
_MARGIN_S = 2.0
"""Silence that the model wants after the last word to know that it was the last."""
_TOKENS_PER_S = 12
"""More than anybody speaks; beyond it the model repeats itself."""
_SPARE_TOKENS = 8
_TOKEN_STEP = 16


def window_s(samples: int, shortest_s: float) -> int | None:
    """Seconds of the window for so many samples: their length and a margin, in buckets, so that equals can share one.

    None when they do not fit into one window.
    """
    seconds = samples / WHISPER_HZ + _MARGIN_S
    if seconds > FULL_WINDOW_S:
        return None
    return min(FULL_WINDOW_S, _BUCKET_S * math.ceil(max(shortest_s, seconds) / _BUCKET_S))


def most_tokens(samples: int, cap: int = 0) -> int:
    """Tokens that a text of so many samples may have, in steps, so that equals can share a batch; at most ``cap``."""
    tokens = _SPARE_TOKENS + _TOKENS_PER_S * samples / WHISPER_HZ
    bounded = min(MODEL_LENGTH // 2, _TOKEN_STEP * math.ceil(tokens / _TOKEN_STEP))
    return min(bounded, cap) if cap else bounded


def max_length(prompt_tokens: int, tokens: int) -> int:
    """What CTranslate2 must be told so that ``tokens`` and no more follow a prompt: it takes off that, or half."""
    return min(MODEL_LENGTH, max(2 * tokens, prompt_tokens + tokens))
