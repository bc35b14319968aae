"""Figures as inline SVG: curves and points on plain axes, readable on light and dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 640, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 20, 16, 44
_COLOURS = ("#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed")


@dataclass(frozen=True)
class Series:
    """Points (x, y) of one name, with a label each where there are ``labels``; ``joined`` draws the line."""

    name: str
    points: tuple[tuple[float, float], ...]
    labels: tuple[str, ...] = ()
    joined: bool = True


@dataclass(frozen=True)
class Bound:
    """A target on the x axis or, with ``level``, on the y axis."""

    at: float
    name: str
    level: bool = False


def chart(
    series: Sequence[Series], x_name: str, y_name: str, *, bounds: Sequence[Bound] = (), x_most: float | None = None
) -> str:
    """Draw series into one SVG element; empty where there is nothing to draw."""
    points = [point for one in series for point in one.points]
    if not points:
        return ""
    across = [x for x, _ in points] + [bound.at for bound in bounds if not bound.level]
    up = [y for _, y in points] + [bound.at for bound in bounds if bound.level]
    x_top = x_most if x_most is not None else _rounded_up(max(across))
    scale = _Scale(x_top, _rounded_up(max(up)))
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(y_name)} over {escape(x_name)}">',
        *_axes(scale, x_name, y_name),
        *(_bound(bound, scale) for bound in bounds),
    ]
    for number, one in enumerate(series):
        parts += _drawn(one, _COLOURS[number % len(_COLOURS)], scale)
    parts += _legend(series)
    return "\n".join([*parts, "</svg>"])


def cumulative(values: Sequence[float]) -> tuple[tuple[float, float], ...]:
    """Measurements in order of size as the share of them (in percent) that is at most so large."""
    return tuple((value, 100 * (number + 1) / len(values)) for number, value in enumerate(values))


@dataclass(frozen=True)
class _Scale:
    x_most: float
    y_most: float

    def x(self, value: float) -> float:
        share = min(1.0, max(0.0, value / self.x_most))
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        share = min(1.0, max(0.0, value / self.y_most))
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)


def _axes(scale: _Scale, x_name: str, y_name: str) -> list[str]:
    parts = []
    for tick in range(6):
        x, y = scale.x_most * tick / 5, scale.y_most * tick / 5
        left, low = scale.x(x), scale.y(y)
        parts += [
            f'<line class="grid" x1="{_LEFT}" y1="{low}" x2="{_WIDTH - _RIGHT}" y2="{low}"/>',
            f'<text x="{_LEFT - 6}" y="{low + 4}" text-anchor="end">{y:g}</text>',
            f'<text x="{left}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{x:g}</text>',
        ]
    middle = (_HEIGHT - _BOTTOM + _TOP) / 2
    return [
        *parts,
        f'<text x="{(_WIDTH + _LEFT) / 2}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(x_name)}</text>',
        f'<text x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">{escape(y_name)}</text>',
    ]


def _bound(bound: Bound, scale: _Scale) -> str:
    if bound.level:
        x1, x2, y1 = _LEFT, _WIDTH - _RIGHT, scale.y(bound.at)
        return f'<line class="bound" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y1}"><title>{escape(bound.name)}</title></line>'
    x = scale.x(bound.at)
    return (
        f'<line class="bound" x1="{x}" y1="{_TOP}" x2="{x}" y2="{_HEIGHT - _BOTTOM}"/>'
        f'<text x="{x + 3}" y="{_TOP + 10}" class="small">{escape(bound.name)}</text>'
    )


def _drawn(series: Series, colour: str, scale: _Scale) -> list[str]:
    parts = []
    if series.joined and len(series.points) > 1:
        path = " ".join(f"{scale.x(x)},{scale.y(y)}" for x, y in series.points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
    for (x, y), label in zip(series.points, series.labels, strict=False):
        parts.append(f'<circle cx="{scale.x(x)}" cy="{scale.y(y)}" r="4" fill="{colour}"/>')
        parts.append(f'<text x="{scale.x(x) + 6}" y="{scale.y(y) - 5}" class="small">{escape(label)}</text>')
    return parts


def _legend(series: Sequence[Series]) -> list[str]:
    if len(series) < 2:
        return []
    return [
        f'<text x="{_WIDTH - _RIGHT - 4}" y="{_TOP + 14 + 15 * number}" text-anchor="end" '
        f'fill="{_COLOURS[number % len(_COLOURS)]}">{escape(one.name)}</text>'
        for number, one in enumerate(series)
    ]


def _rounded_up(value: float) -> float:
    """The next figure that divides well into five."""
    step = 1.0
    while value > step * 5:
        step *= 2 if str(step)[0] in "15" else 2.5
    return step * 5
