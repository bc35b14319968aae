"""One call's events and actions as lines of JSON: the part of writing that knows the format, and no file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from orchestrator.engine import Action, Cues, Event, ReportTurn, SwitchLanguage, TurnState, load_cues
from orchestrator.event_log.codec import encode
from orchestrator.event_log.header import Header
from orchestrator.event_log.stand_ins import StandIns

ACTIONS_KEY = "actions"
DROPPED_KEY = "dropped"
END_KEY = "end"


class Lines:
    """Makes the lines of one call. For one thread, except that a header may be made in another before."""

    def __init__(self, cues: Cues, *, transcripts: bool) -> None:
        """Write what was said only if ``transcripts``."""
        self._transcripts = transcripts
        self._stand_ins = StandIns(cues)
        self._open_turns: set[int] = set()

    def header(self, header: Header) -> str:
        """The first line."""
        return _line(header.as_json())

    def of_nothing(self) -> dict[str, Any]:
        """What the cues answer about an empty text."""
        return {} if self._transcripts else self._stand_ins.answers("")

    def entry(self, event: Event, actions: Sequence[Action]) -> str:
        """An event, and what the engine asked for in turn."""
        plain = self._transcripts
        entry = encode(event, _as_it_is if plain else self._stand_ins.text)
        if actions:
            entry[ACTIONS_KEY] = [encode(action, _as_it_is if plain else self._stand_ins.words) for action in actions]
            self._follow(actions)
        return _line(entry)

    def dropped(self, events: int) -> str:
        """So many events are missing here."""
        return _line({DROPPED_KEY: events})

    def end(self, reason: str) -> str:
        """The last line: ``closed``, or ``full`` where the file had grown too large."""
        return _line({END_KEY: reason})

    def _follow(self, actions: Sequence[Action]) -> None:
        any_open = bool(self._open_turns)
        for action in actions:
            if isinstance(action, SwitchLanguage):
                self._stand_ins.speak(load_cues(action.language))
            if isinstance(action, ReportTurn):
                if action.state is TurnState.ENDED:
                    self._open_turns.discard(action.turn_id)
                else:
                    self._open_turns.add(action.turn_id)
                    any_open = True
        if any_open and not self._open_turns:
            self._stand_ins.forget()


def _as_it_is(_: str, text: str) -> str:
    return text


def _line(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n"
