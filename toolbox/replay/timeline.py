"""A call drawn in time: one HTML file with inline SVG, nothing loaded from anywhere, no script.

Lanes from top to bottom: the caller's speech (its probability), what the recogniser understood, what the engine
decided, what the agent played, and the turns with their outcomes. Everything tells more when pointed at.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from orchestrator.engine import Event, FinalHeard, PartialHeard, ReportTurn, SpeechWindow
from toolbox.replay.story import Moment, Playout, Story, TurnStory

_PX_PER_S = 90.0
_LEFT = 110.0
_SPEECH_HEIGHT, _TEXT_HEIGHT, _PLAY_HEIGHT, _TURN_HEIGHT = 56.0, 40.0, 40.0, 34.0
_DECISION_ROWS, _ROW = 6, 16.0
_GAP = 14.0

_STYLE = """
:root { color-scheme: light dark; --ink:#1c2430; --dim:#667080; --line:#d5dae2; --ground:#fff; --speech:#2f6fde;
 --agent:#178a52; --wait:#b9d9c8; --text:#8a5cd1; --decide:#b45309; --stop:#c22f3d; --turn:#eef1f6; }
@media (prefers-color-scheme: dark) { :root { --ink:#e6e9ef; --dim:#98a2b3; --line:#333b47; --ground:#14181f;
 --speech:#6ea1ff; --agent:#4cc38a; --wait:#24503b; --text:#b794f4; --decide:#f2a65a; --stop:#ff7b86;
 --turn:#222936; } }
body { margin:0; padding:24px; background:var(--ground); color:var(--ink); font:14px/1.5 system-ui,sans-serif; }
h1 { font-size:18px; margin:0 0 4px; } h2 { font-size:15px; margin:22px 0 6px; } p { margin:0 0 8px; color:var(--dim); }
.scroll { overflow-x:auto; border:1px solid var(--line); border-radius:8px; }
svg { display:block; font:11px system-ui,sans-serif; } svg text { fill:var(--ink); }
.lane { fill:var(--dim); } .grid { stroke:var(--line); } .speech { fill:var(--speech); fill-opacity:.75; }
.understood { fill:var(--text); } .decide { stroke:var(--decide); stroke-width:1.5; fill:var(--decide); }
.stop { stroke:var(--stop); stroke-width:1.5; fill:var(--stop); } .wait { fill:var(--wait); }
.play { fill:var(--agent); } .unsure { stroke-dasharray:4 3; stroke:var(--decide); }
.turn { fill:var(--turn); stroke:var(--line); } .interrupted,.error { stroke:var(--stop); }
table { border-collapse:collapse; } td,th { text-align:left; padding:3px 14px 3px 0; vertical-align:top; }
th { color:var(--dim); font-weight:500; }
"""


@dataclass(frozen=True)
class Drawn:
    """One call to draw: as it was recorded, or as it was replayed."""

    heading: str
    moments: Sequence[Moment]
    story: Story
    transcripts: bool


def timeline(title: str, remark: str, calls: Sequence[Drawn], changes: Sequence[Sequence[str]] = ()) -> str:
    """The page: each call on the same scale, and below a table whose first row is its head."""
    drawn = "".join(
        f'<h2>{escape(call.heading)}</h2>\n<div class="scroll">{_Chart(call).svg()}</div>\n' for call in calls
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body><h1>{escape(title)}</h1>"
        f"<p>{escape(remark)}</p>\n{drawn}{_table(changes)}</body></html>\n"
    )


def _table(rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    head, *body = rows
    lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in body]
    return "<h2>Turns</h2>\n<table>" + "\n".join(lines) + "</table>\n"


class _Chart:
    """One call's SVG."""

    def __init__(self, call: Drawn) -> None:
        self._call = call
        self._parts: list[str] = []
        self._until = max(call.story.ended_at, 1000.0)
        self._width = _LEFT + self._until / 1000.0 * _PX_PER_S + 40.0

    def svg(self) -> str:
        """Draw every lane."""
        y = 8.0
        for name, height, draw in (
            ("caller", _SPEECH_HEIGHT, self._speech),
            ("understood", _TEXT_HEIGHT, self._understood),
            ("decisions", _DECISION_ROWS * _ROW, self._decisions),
            ("agent", _PLAY_HEIGHT, self._playouts),
            ("turns", _TURN_HEIGHT, self._turns),
        ):
            self._put(f'<text class="lane" x="8" y="{y + 14:.0f}">{name}</text>')
            draw(y, height)
            y += height + _GAP
        grid = "".join(self._second(second, y) for second in range(int(self._until / 1000) + 1))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{self._width:.0f}" height="{y + 18:.0f}">'
            f"<title>{escape(self._call.heading)}</title>{grid}{''.join(self._parts)}</svg>"
        )

    def _second(self, second: int, bottom: float) -> str:
        x = self._x(second * 1000.0)
        return (
            f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{bottom:.0f}"/>'
            f'<text class="lane" x="{x + 3:.1f}" y="{bottom + 10:.0f}">{second} s</text>'
        )

    # --------------------------------------------------------------------------------------------------------- lanes

    def _speech(self, y: float, height: float) -> None:
        bottom, path, last = y + height, [], None
        for event, _ in self._call.moments:
            if isinstance(event, SpeechWindow):
                x = self._x(event.at_ms)
                if last is None or x - last > _PX_PER_S * 0.2:  # no window for long: the line had stalled
                    path.append(f"{'' if last is None else f'V{bottom:.1f}'}M{x:.1f} {bottom:.1f}")
                path.append(f"L{x:.1f} {bottom - height * max(0.0, min(1.0, event.probability)):.1f}")
                last = x
        if last is not None:
            title = "probability of speech, window by window"
            self._put(f'<path class="speech" d="{"".join(path)}L{last:.1f} {bottom:.1f}">{_title(title)}</path>')

    def _understood(self, y: float, height: float) -> None:
        number = 0
        for event, _ in self._call.moments:
            if not isinstance(event, PartialHeard | FinalHeard):
                continue
            number += 1
            x, final = self._x(event.at_ms), isinstance(event, FinalHeard)
            words = len(event.text.split())
            told = event.text if self._call.transcripts else f"{words} {'word' if words == 1 else 'words'}"
            title = _title(f"{'final' if final else 'partial'} at {_s(event.at_ms)}, turn {event.turn_id}: {told}")
            radius = 4.5 if final else 2.5
            self._put(f'<circle class="understood" cx="{x:.1f}" cy="{y + 6:.1f}" r="{radius}">{title}</circle>')
            if final:
                row = y + 20 + 12 * (number % 2)
                self._put(f'<text x="{x:.1f}" y="{row:.1f}">{escape(told[:28])}{title}</text>')

    def _decisions(self, y: float, height: float) -> None:
        ends = [float("-inf")] * _DECISION_ROWS
        for at, action in self._call.story.decisions:
            if isinstance(action, ReportTurn):
                continue
            x, name = self._x(at), type(action).__name__
            # The first row that is free; where none is, the one that will be soonest.
            row = next((row for row, end in enumerate(ends) if end <= x), ends.index(min(ends)))
            ends[row] = x + 6.4 * len(name) + 12
            base = y + row * _ROW
            kind = "stop" if name in ("Pause", "Clear", "DiscardReply", "HangUp") else "decide"
            title = _title(f"{name} at {_s(at)}: {self._content(action)}")
            self._put(
                f'<g class="mark"><line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{base:.1f}" y2="{base + 13:.1f}"/>'
                f'<text x="{x + 4:.1f}" y="{base + 10:.1f}">{escape(name)}</text>{title}</g>'
            )

    def _playouts(self, y: float, height: float) -> None:
        for playout in self._call.story.playouts.values():
            stop = playout.stopped_at if playout.stopped_at is not None else self._until
            start = playout.started_at if playout.started_at is not None else stop
            title = _title(_told(playout))
            self._bar("wait", playout.ordered_at, start, y + 10, 8, title)
            if playout.started_at is None:
                continue
            self._bar("play", start, max(start, stop), y + 4, 20, title)
            for at, heard in playout.heard:
                heard_to = start + heard
                note = _title(f"{heard / 1000:.2f} s of playout {playout.playout_id} heard, known at {_s(at)}")
                self._bar("understood", heard_to - 8, heard_to, y + 26, 4, note)
            ended = playout.paused_at if playout.paused_at is not None else playout.cleared_at
            if ended is not None:
                x = self._x(ended)
                self._put(f'<line class="stop" x1="{x:.1f}" x2="{x:.1f}" y1="{y:.1f}" y2="{y + 30:.1f}">{title}</line>')
            self._put(f'<text x="{self._x(start):.1f}" y="{y + 40:.1f}">{escape(playout.what)}{title}</text>')

    def _turns(self, y: float, height: float) -> None:
        for number, turn in enumerate(self._call.story.turns.values()):
            end = turn.ended_at if turn.ended_at is not None else self._until
            outcome = turn.outcome.value if turn.outcome is not None else "open"
            classes = f"turn {outcome}{' unsure' if turn.notes else ''}"
            title = _title(_told_turn(turn))
            base = y + 17 * (number % 2)
            self._bar(classes, turn.began_at, end, base, 15, title)
            label = f"{turn.turn_id} {outcome}" + (f", joins {turn.joins}" if turn.joins else "")
            self._put(f'<text x="{self._x(turn.began_at) + 4:.1f}" y="{base + 11:.1f}">{escape(label)}{title}</text>')

    # ------------------------------------------------------------------------------------------------------- drawing

    def _bar(self, classes: str, from_ms: float, to_ms: float, y: float, height: float, title: str) -> None:
        x, width = self._x(from_ms), max(1.0, self._x(to_ms) - self._x(from_ms))
        self._put(
            f'<rect class="{classes}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:g}" rx="2">'
            f"{title}</rect>"
        )

    def _content(self, action: Any) -> str:
        fields = []
        for field in dataclasses.fields(action):
            value = getattr(action, field.name)
            if isinstance(value, str) and field.name != "language" and not self._call.transcripts:
                value = f"{len(value.split())} words"
            shown = getattr(value, "value", value)
            fields.append(f"{field.name} {shown:.0f}" if isinstance(shown, float) else f"{field.name} {shown}")
        return ", ".join(fields)

    def _x(self, at_ms: float) -> float:
        return _LEFT + at_ms / 1000.0 * _PX_PER_S

    def _put(self, part: str) -> None:
        self._parts.append(part)


def _told(playout: Playout) -> str:
    told = [f"playout {playout.playout_id}: {playout.what}", f"ordered at {_s(playout.ordered_at)}"]
    named = {
        "first frame": playout.started_at,
        "heard to its end": playout.finished_at,
        "paused": playout.paused_at,
        "cleared": playout.cleared_at,
    }
    told += [f"{name} at {_s(at)}" for name, at in named.items() if at is not None]
    if playout.heard:
        told.append(f"{max(heard for _, heard in playout.heard) / 1000:.2f} s heard")
    return ", ".join(told)


def _told_turn(turn: TurnStory) -> str:
    told = [f"turn {turn.turn_id}: {turn.outcome.value if turn.outcome is not None else 'open'}"]
    if turn.committed_at is not None:
        rule = f" ({turn.rule})" if turn.rule else ""
        told.append(f"committed at {_s(turn.committed_at)}{rule}")
    if turn.endpoint_ms is not None:
        told.append(f"{turn.endpoint_ms:.0f} ms after the caller's last speech")
    if turn.response_ms is not None:
        told.append(f"answered after {turn.response_ms:.0f} ms")
    if turn.joins:
        told.append(f"goes on with turn {turn.joins}, which was cut off")
    told.append(f"speculation {turn.speculation.value}")
    return ", ".join(told + [f"uncertain: {note}" for note in turn.notes])


def _s(at_ms: float) -> str:
    return f"{at_ms / 1000:.2f} s"


def _title(text: str) -> str:
    return f"<title>{escape(text)}</title>"


def moments_of(entries: Sequence[Any]) -> list[tuple[Event, Sequence[Any]]]:
    """A recorded call's entries as moments."""
    return [(entry.event, entry.actions) for entry in entries]
