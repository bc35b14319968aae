"""Reading a call log while it is written, and printing what is understood and said as it happens."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

# The log is a file that another process appends to; ten looks a second are as live as a reader notices.
_POLL_S = 0.1


class CallLogReader:
    """The only call log of a folder, read as it grows; with ``coming`` the first that appears there from now on."""

    def __init__(self, folder: Path, *, coming: bool = False) -> None:
        self._folder = folder
        self._others = set(folder.glob("*.jsonl")) if coming else set()
        self._path: Path | None = None
        self._offset = 0
        self.entries: list[dict[str, Any]] = []

    def read(self) -> list[dict[str, Any]]:
        """The entries that were written since the last time."""
        if self._path is None:
            self._path = next(iter(sorted(set(self._folder.glob("*.jsonl")) - self._others)), None)
            if self._path is None:
                return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]  # a line that is still being written is left for the next time
        self._offset += len(whole)
        new = [json.loads(line) for line in whole.splitlines()]
        self.entries.extend(new)
        return new


class LiveTranscript:
    """Prints a conversation, one line per utterance and per reply."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._reply: tuple[int, list[str]] = (0, [])

    def show(self, entry: dict[str, Any]) -> None:
        """Print what an entry adds to the conversation."""
        kind = entry["kind"]
        if kind == "transcript" and entry["speaker"] == "caller" and entry["final"] and entry["text"]:
            self._line(entry, "caller", entry["text"], "bold cyan")
        elif kind == "transcript" and entry["speaker"] == "agent" and entry["text"]:
            self._line(entry, "parley", entry["text"], "green")
        elif kind == "turn" and entry.get("outcome") == "interrupted":
            heard, said = entry["heard_length"], entry["said_length"]
            self._line(entry, "", f"interrupted: {heard} of {said} characters were heard", "yellow")
        elif kind == "playout" and entry["what"] == "resumed_tail":
            self._line(entry, "", "that was no interruption: the agent goes on", "yellow")
        elif kind == "notice":
            self._line(entry, "notice", f"{entry['code']}: {entry['message']}", "red")
        elif kind == "end":
            self._line(entry, "", f"call ended: {entry['reason'].replace('_', ' ')}", "dim")

    def _line(self, entry: dict[str, Any], who: str, text: str, style: str) -> None:
        seconds = entry["t_ms"] / 1000
        self._console.print(Text.assemble((f"{seconds:7.2f} s  ", "dim"), (f"{who:<8}", style), text), soft_wrap=True)


async def follow(reader: CallLogReader, transcript: LiveTranscript) -> None:
    """Print entries as they come, until cancelled."""
    while True:
        for entry in reader.read():
            transcript.show(entry)
        await asyncio.sleep(_POLL_S)
