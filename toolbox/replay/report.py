"""What a replay found, as one JSON object and as a person reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestrator.event_log import RecordedCall
from toolbox.replay.compare import TurnChange, added, agreement, totals
from toolbox.replay.exact import Difference, comparable
from toolbox.replay.story import Moment, Story

SAME_CALLER = "The caller speaks as recorded: a person answered earlier or later would have spoken differently."


@dataclass
class Replayed:
    """One log, replayed."""

    call: RecordedCall
    recorded: Story
    difference: Difference | None
    """Where this Parley decides otherwise than the recorded one did, with the recorded settings."""
    moments: Sequence[Moment] = ()
    """What came of other settings; empty where there are none."""
    replayed: Story | None = None
    changes: list[TurnChange] = field(default_factory=list)
    model: list[TurnChange] = field(default_factory=list)
    """The recorded settings through the same virtual time: what the estimates are worth."""

    def as_json(self) -> dict[str, Any]:
        """One entry of ``calls``."""
        header, entries = self.call.header, self.call.entries
        told: dict[str, Any] = {
            "log": str(self.call.path),
            "call_id": header.call_id,
            "recorded_by": header.parley,
            "started": header.started,
            "language": header.language,
            "transcripts": header.transcripts,
            "events": len(entries),
            "compared": comparable(self.call),
            "dropped": sum(self.call.dropped.values()),
            "complete": self.call.end == "closed",
            "seconds": round(self.recorded.ended_at / 1000.0, 2),
            "same_decisions": self.difference is None,
            "first_difference": None if self.difference is None else _difference(self.difference),
            "recorded": totals(self.recorded),
        }
        if self.replayed is not None:
            told |= {
                "replayed": totals(self.replayed),
                "changed": sum(bool(change.what) for change in self.changes),
                "estimated": sum(change.certainty != "known" for change in self.changes),
                "turns": [_turn(change) for change in self.changes],
                "model": agreement(self.model),
                "guessed_cues": 0 if self.call.recorded_cues is None else self.call.recorded_cues.guessed,
            }
        return told


def _difference(difference: Difference) -> dict[str, Any]:
    return {
        "event": difference.index,
        "kind": type(difference.event).__name__,
        "at_ms": difference.event.at_ms,
        "recorded": [type(action).__name__ for action in difference.recorded],
        "replayed": [type(action).__name__ for action in difference.replayed],
    }


def _turn(change: TurnChange) -> dict[str, Any]:
    def told(which: str) -> dict[str, Any] | None:
        turn = getattr(change, which)
        if turn is None:
            return None
        plain = {name: getattr(turn, name) for name in ("turn_id", "joins", "pauses", "rule")}
        times = {"began_at_ms": turn.began_at, "commit_at_ms": turn.committed_at, "endpoint_ms": turn.endpoint_ms}
        return {
            **plain,
            **{name: _rounded(at) for name, at in (times | {"response_ms": turn.response_ms}).items()},
            "outcome": None if turn.outcome is None else turn.outcome.value,
            "speculation": turn.speculation.value,
        }

    return {
        "recorded": told("recorded"),
        "replayed": told("replayed"),
        "commit_delta_ms": _rounded(change.commit_delta_ms),
        "response_delta_ms": _rounded(change.response_delta_ms),
        "differs": change.what,
        "certainty": change.certainty,
        "notes": change.replayed.notes if change.replayed is not None else [],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def rows_of(changes: Sequence[TurnChange], *, all_of_them: bool = False) -> list[list[str]]:
    """A table of what differs, its head first; only the head where nothing does."""
    rows = [["at", "turn", "endpoint ms", "reply ms", "what differs", "how certain"]]
    for change in changes:
        if not (change.what or all_of_them):
            continue
        before, after = change.recorded, change.replayed
        shown = before or after
        rows.append(
            [
                "–" if shown is None else f"{shown.began_at / 1000:.1f} s",
                " → ".join(dict.fromkeys(str(turn.turn_id) if turn else "–" for turn in (before, after))),
                _both(*(turn.endpoint_ms if turn else None for turn in (before, after))),
                _both(*(turn.response_ms if turn else None for turn in (before, after))),
                change.what or "nothing",
                "; ".join(after.notes) if after is not None and after.notes else "known",
            ]
        )
    return rows


def _both(before: float | None, after: float | None) -> str:
    shown = ["–" if value is None else f"{value:.0f}" for value in (before, after)]
    return " → ".join(dict.fromkeys(shown))


def show(console: Console, calls: Sequence[Replayed], changed: dict[str, dict[str, Any]]) -> None:
    """Write what was found."""
    for one in calls:
        _show_head(console, one)
        if one.replayed is None:
            continue
        rows = rows_of(one.changes)
        if len(rows) > 1:
            table = Table(*rows[0])
            for row in rows[1:]:
                table.add_row(*map(escape, row))
            console.print(table)
        else:
            console.print("No turn would differ.")
        _show_model(console, one)
    if changed:
        _show_totals(console, calls, changed)


def _show_head(console: Console, one: Replayed) -> None:
    header = one.call.header
    console.print(
        f"[bold]{escape(one.call.path.name)}[/]: {one.recorded.ended_at / 1000:.1f} s, {len(one.recorded.turns)} turns,"
        f" {len(one.call.entries)} events, {'with' if header.transcripts else 'without'} transcripts",
        soft_wrap=True,
    )
    compared = comparable(one.call)
    if one.call.dropped:
        missing = sum(one.call.dropped.values())
        console.print(f"[yellow]{missing} events are missing: unknown from event {compared} on.[/]")
    elif compared < len(one.call.entries):
        why = "The call changed its language, and the log holds no transcripts"
        console.print(f"[yellow]{why}: unknown from event {compared} on.[/]")
    if one.call.end != "closed":
        why = "the file had reached its limit" if one.call.end == "full" else "its process died"
        console.print(f"[yellow]The log ends before the call did: {why}.[/]")
    if one.difference is None:
        console.print(f"With the recorded settings all {compared} events lead to the recorded decisions.")
        return
    found = _difference(one.difference)
    console.print(
        f"[red]This Parley decides otherwise than {escape(header.parley)} did[/],"
        f" first at {found['at_ms'] / 1000:.2f} s (event {found['event']}, {found['kind']}):"
        f" recorded {_names(found['recorded'])}, now {_names(found['replayed'])}",
        soft_wrap=True,
    )


def _names(kinds: Sequence[str]) -> str:
    return ", ".join(kinds) or "nothing"


def _show_model(console: Console, one: Replayed) -> None:
    worth = agreement(one.model)
    off = worth["commit_off_ms"]
    within = "" if off["max"] is None else f", commits within {off['max']:.0f} ms"
    console.print(
        f"[dim]What the estimate is worth: with the recorded settings it gives the recorded outcome for"
        f" {worth['same_outcome']} of {worth['turns']} turns{within}. {SAME_CALLER}[/]"
    )


def _show_totals(console: Console, calls: Sequence[Replayed], changed: dict[str, dict[str, Any]]) -> None:
    before = added([one.recorded for one in calls])
    after = added([one.replayed for one in calls if one.replayed is not None])
    values = ", ".join(f"{name} {each['recorded']} → {each['replayed']}" for name, each in changed.items())
    console.print(f"\n[bold]{len(calls)} {'call' if len(calls) == 1 else 'calls'} with {escape(values)}[/]")
    table = Table("", "recorded", "replayed")
    for name, key in (
        ("turns answered", "committed"),
        ("callers cut off", "cut_offs"),
        ("agent fell silent", "pauses"),
        ("and went on", "resumed"),
        ("replies asked for", "replies_started"),
    ):
        table.add_row(name, str(before[key]), str(after[key]))
    for outcome in before["outcomes"]:
        table.add_row(f"turns {outcome}", str(before["outcomes"][outcome]), str(after["outcomes"][outcome]))
    for name, key in (("endpoint, p50 / p95 ms", "endpoint_ms"), ("reply, p50 / p95 ms", "response_ms")):
        table.add_row(name, *(f"{_figure(each[key]['p50'])} / {_figure(each[key]['p95'])}" for each in (before, after)))
    console.print(table)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"
