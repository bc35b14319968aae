"""Many measurements as the few figures that a report holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypedDict


class Distribution(TypedDict):
    """A distribution; the figures are None where nothing was measured."""

    n: int
    p50: float | None
    p95: float | None
    p99: float | None
    max: float | None


def distribution(values: Sequence[float], digits: int = 1) -> Distribution:
    """Summarise measurements; percentiles are interpolated between neighbours (Hyndman and Fan's type 7)."""
    if not values:
        return Distribution(n=0, p50=None, p95=None, p99=None, max=None)
    ordered = sorted(values)

    def at(share: float) -> float:
        place = share * (len(ordered) - 1)
        low, high = math.floor(place), math.ceil(place)
        return round(ordered[low] + (ordered[high] - ordered[low]) * (place - low), digits)

    return Distribution(n=len(ordered), p50=at(0.5), p95=at(0.95), p99=at(0.99), max=round(ordered[-1], digits))


def distribution_of_buckets(
    bounds: Sequence[float], counts: Sequence[int], largest: float | None, digits: int = 2
) -> Distribution:
    """Summarise a histogram: percentiles are interpolated inside their bucket.

    Args:
        bounds: Upper bounds of all buckets but the last, going up.
        counts: Measurements per bucket, one more than bounds.
        largest: The largest measurement; None where the histogram does not tell, which gives the last bound.
        digits: Decimal places.
    """
    total = sum(counts)
    if not total:
        return Distribution(n=0, p50=None, p95=None, p99=None, max=None)
    top = largest if largest is not None else bounds[-1]

    def at(share: float) -> float:
        wanted, below = share * total, 0
        for index, count in enumerate(counts):
            if count and below + count >= wanted:
                low = bounds[index - 1] if index else 0.0
                high = min(bounds[index], top) if index < len(bounds) else top
                return round(low + max(0.0, high - low) * (wanted - below) / count, digits)
            below += count
        return round(top, digits)

    return Distribution(n=total, p50=at(0.5), p95=at(0.95), p99=at(0.99), max=round(top, digits))
