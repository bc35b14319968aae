"""Voices blended of others, as Kokoro's users write them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

MOST_PARTS = 8

_PART = re.compile(r"(?P<voice>[^\s:()+,]+)(?:\s*(?::\s*(?P<plain>[0-9.]+)|\(\s*(?P<bracketed>[0-9.]+)\s*\)))?")


@dataclass(frozen=True)
class Blend:
    """Voices and their shares, which add up to 1."""

    parts: tuple[tuple[str, float], ...]

    @property
    def name(self) -> str:
        """As Parley writes it: "af_heart:0.7+af_bella:0.3"."""
        return "+".join(f"{voice}:{share:.3g}" for voice, share in self.parts)

    @property
    def bracketed(self) -> str:
        """As Kokoro-FastAPI takes it: "af_heart(0.7)+af_bella(0.3)"."""
        return "+".join(f"{voice}({share:.3g})" for voice, share in self.parts)


def blend_of(name: str) -> Blend | None:
    """What a name blends; None where it is the name of one voice, or nobody's.

    Takes "af_heart:0.7+af_bella:0.3", "af_heart(7)+af_bella(3)", "af_heart+af_bella" and "af_heart,af_bella"; a part
    without a weight weighs 1, and weights are made to add up to 1.
    """
    written = re.split(r"[+,]", name)
    if not 2 <= len(written) <= MOST_PARTS:
        return None
    weights: dict[str, float] = {}
    for part in written:
        match = _PART.fullmatch(part.strip())
        if match is None:
            return None
        try:
            weight = float(match["plain"] or match["bracketed"] or 1)
        except ValueError:
            return None
        weights[match["voice"]] = weights.get(match["voice"], 0.0) + weight
    total = sum(weights.values())
    if len(weights) < 2 or not math.isfinite(total) or min(weights.values()) <= 0:
        return None
    return Blend(tuple((voice, weight / total) for voice, weight in weights.items()))
