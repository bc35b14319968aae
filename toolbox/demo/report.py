"""What a demo call comes to: each turn as heard and said, its latency, and whether all was understood."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from toolbox.demo.scenario import Line

# Stage → what a reader calls it, in the order in which a turn reaches them.
STAGES = (
    ("stt_final", "transcript"),
    ("commit", "commit"),
    ("llm_first_content", "token"),
    ("first_clause", "clause"),
    ("tts_first_audio", "audio"),
    ("first_frame_sent", "sent"),
    ("first_frame_heard", "heard"),
)


@dataclass
class Turn:
    """One turn, put together from the call log and what the line measured."""

    turn_id: int
    heard: str = ""
    said: str = ""
    filler: str = ""
    """What bridged the wait for the reply, if something did."""
    outcome: str = "unanswered"
    timings_ms: dict[str, float | None] = field(default_factory=dict)
    response_latency_ms: float | None = None
    speculation: str = "unspecified"
    heard_length: int = 0
    said_length: int = 0

    def as_json(self) -> dict[str, Any]:
        """The turn as ``--json`` prints it."""
        return {
            "heard": self.heard,
            "said": self.said,
            "filler": self.filler,
            "outcome": self.outcome,
            "response_latency_ms": self.response_latency_ms,
            "timings_ms": self.timings_ms,
            "speculation": self.speculation,
            "heard_characters": self.heard_length,
            "said_characters": self.said_length,
        }


def turns_of(entries: Iterable[dict[str, Any]]) -> list[Turn]:
    """Read the turns out of a call log's lines; those that came to nothing (noise, joined) are left out."""
    turns: dict[int, Turn] = {}
    fillers: set[int] = set()
    for entry in entries:
        turn_id = int(entry.get("turn_id") or 0)
        if turn_id == 0:
            continue
        turn = turns.setdefault(turn_id, Turn(turn_id))
        if entry["kind"] == "transcript":
            if entry["speaker"] == "caller":
                turn.heard = entry["text"]
            elif entry["playout_id"] in fillers:
                turn.filler = f"{turn.filler} {entry['text']}".strip()
            else:
                turn.said = f"{turn.said} {entry['text']}".strip()
        elif entry["kind"] == "playout" and entry["what"] == "filler":
            fillers.add(entry["playout_id"])
        elif entry["kind"] == "turn" and entry["state"] == "ended":
            turn.outcome = entry["outcome"]
            turn.timings_ms = entry["timings_ms"]
            turn.speculation = entry["speculation"]
            turn.heard_length, turn.said_length = entry["heard_length"], entry["said_length"]
    return [turn for turn in turns.values() if turn.outcome != "discarded"]


def filler_lead_ms(turn: Turn, entries: Iterable[dict[str, Any]]) -> float | None:
    """How much later than its filler a turn's reply began to be sent, by the gateway's clock; None without one."""
    begins = {
        entry["what"]: entry["t_ms"]
        for entry in entries
        if entry["kind"] == "playout" and entry["turn_id"] == turn.turn_id and entry["what"] in {"filler", "reply"}
    }
    return begins["reply"] - begins["filler"] if len(begins) == 2 else None


def resumptions(entries: Iterable[dict[str, Any]]) -> int:
    """How often the agent went on from where it had stopped for somebody who did not mean to interrupt."""
    return sum(1 for entry in entries if entry["kind"] == "playout" and entry["what"] == "resumed_tail")


def shortcomings(
    lines: Sequence[Line], intents: Sequence[str], turns: Sequence[Turn], *, resumed: int = 0
) -> list[str]:
    """Why the call was no success, in sentences; empty when every line was understood and answered.

    ``lines`` are all, ``intents`` and ``turns`` those of the lines that want an answer; ``resumed`` is how often the
    agent went on after a sign of listening.
    """
    found = []
    listening = [line for line in lines if line.listening]
    lines = [line for line in lines if not line.listening]
    if listening and not resumed:
        found.append(f"the agent did not go on after “{listening[0].text}”, or never stopped for it")
    for number, line in enumerate(lines):
        took = intents[number] if number < len(intents) else "nothing"
        if took != line.intent:
            found.append(f"the brain took “{line.text}” for {took}, not {line.intent}")
        if number >= len(turns):
            found.append(f"“{line.text}” became no turn")
        elif not turns[number].said:
            found.append(f"“{line.text}” went unanswered")
    if len(turns) > len(lines):
        found.append(f"{len(turns)} turns were made of {len(lines)} lines")
    for number, line in enumerate(lines):
        if line.interrupts_after_s is not None and 0 < number <= len(turns):
            before = turns[number - 1]
            if before.outcome != "interrupted":
                found.append(f"“{line.text}” should have interrupted the turn before, which was {before.outcome}")
    return found


_COLOURS = ("cyan", "blue", "magenta", "yellow", "green", "bright_green", "white")
_LINE_WIDTH = 24
_BAR_WIDTH = 48


def waterfall(turns: Sequence[Turn]) -> Table:
    """Where the time went in each turn, in ms from the caller's last speech."""
    table = Table(box=None, padding=(0, 0, 0, 1), pad_edge=False)
    table.add_column("ms from caller’s end", no_wrap=True, max_width=_LINE_WIDTH)
    for (_, name), colour in zip(STAGES, _COLOURS, strict=True):
        table.add_column(name, justify="right", no_wrap=True, style=colour)
    table.add_column("line", justify="right", no_wrap=True, style="bold")
    for turn in turns:
        stages = (turn.timings_ms.get(stage) for stage, _ in STAGES)
        table.add_row(turn.heard[:_LINE_WIDTH], *(_ms(stage) for stage in stages), _ms(turn.response_latency_ms))
    return table


def bars(turns: Sequence[Turn]) -> Text:
    """The same as bars on one scale: each colour is the time up to its stage."""
    reached = [[(turn.timings_ms.get(stage) or 0.0) for stage, _ in STAGES] for turn in turns]
    scale = _BAR_WIDTH / max(1.0, *(at for stages in reached for at in stages))
    text = Text()
    for turn, stages in zip(turns, reached, strict=True):
        text.append(f"{turn.heard[:_LINE_WIDTH]:<{_LINE_WIDTH}} ")
        drawn = 0
        for at, colour in zip(stages, _COLOURS, strict=True):
            end = round(at * scale)
            text.append("█" * max(0, end - drawn), style=colour)
            drawn = max(drawn, end)
        text.append("\n")
    return text


def show(
    console: Console, turns: Sequence[Turn], barge_in_ms: float | None, problems: Sequence[str], *, resumed: int = 0
) -> None:
    """Print the waterfall, what was bridged, resumed and interrupted, and the verdict."""
    console.print()
    console.print(waterfall(turns))
    console.print("[dim]line: first frame of the reply at the telephone, measured outside[/dim]\n")
    console.print(bars(turns))
    fillers = [turn for turn in turns if turn.filler]
    for turn in fillers:
        console.print(f"filler: “{turn.filler}” while the answer to “{turn.heard}” took its time")
    if resumed:
        console.print(f"went on {resumed} time(s) after a sign of listening")
    hits = sum(turn.speculation == "hit" for turn in turns)
    console.print(f"begun before the caller’s turn was over, and used: {hits} of {len(turns)} answers")
    if barge_in_ms is not None:
        console.print(f"interruption: silent [bold]{barge_in_ms:.0f} ms[/bold] after the caller began to speak")
    for problem in problems:
        console.print(f"[bold red]✗[/bold red] {problem}")


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"
