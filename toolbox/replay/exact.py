"""Replaying what was recorded, event for event: does this Parley still decide as the recorded one did?"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.engine import Action, EngineSettings, Event, SwitchLanguage, TurnEngine, words_of
from orchestrator.event_log import RecordedCall
from orchestrator.languages import LanguageChoice

_STAND_IN = re.compile(r"w\d+w")


@dataclass(frozen=True)
class Difference:
    """An event that led to other actions than it did in the recorded call."""

    index: int
    """Of the event, from 0."""
    event: Event
    recorded: tuple[Action, ...]
    replayed: tuple[Action, ...]


def engine_for(call: RecordedCall, settings: EngineSettings) -> TurnEngine:
    """An engine as the recorded call began with, but with these settings."""
    header = call.header
    languages = LanguageChoice(header.languages or (header.language,), header.language, settled=header.language_settled)
    return TurnEngine(settings, call.cues, header.new_ids(), speculate=header.speculate, languages=languages)


def comparable(call: RecordedCall) -> int:
    """How many entries can be computed again: up to where events are missing.

    Without transcripts also no further than a change of language: the engine then asks the new language's own cues,
    which know nothing of stand-ins.
    """
    limit = min(call.dropped, default=len(call.entries))
    if not call.header.transcripts:
        for index, entry in enumerate(call.entries[:limit]):
            if any(isinstance(action, SwitchLanguage) for action in entry.actions):
                return index + 1
    return limit


def first_difference(call: RecordedCall, settings: EngineSettings) -> Difference | None:
    """Feed every recorded event at its time; None where every one leads to the recorded actions.

    After the first difference what follows is not compared: it would be a difference of the same.
    """
    engine = engine_for(call, settings)
    for index, entry in enumerate(call.entries[: comparable(call)]):
        replayed = tuple(engine.handle(entry.event))
        if not same(entry.actions, replayed, transcripts=call.header.transcripts):
            return Difference(index, entry.event, entry.actions, replayed)
    return None


def same(recorded: Sequence[Action], replayed: Sequence[Action], *, transcripts: bool) -> bool:
    """Whether two lists of actions are equal; without transcripts, texts as far as stand-ins tell."""
    if transcripts:
        return tuple(recorded) == tuple(replayed)
    return len(recorded) == len(replayed) and all(map(_same_value, recorded, replayed))


def _same_value(recorded: Any, replayed: Any) -> bool:
    if type(recorded) is not type(replayed):
        return False
    if dataclasses.is_dataclass(recorded) and not isinstance(recorded, type):
        return all(
            _same_value(getattr(recorded, field.name), getattr(replayed, field.name))
            for field in dataclasses.fields(recorded)
        )
    if isinstance(recorded, str):
        return _same_words(words_of(recorded), words_of(replayed))
    if isinstance(recorded, list | tuple):
        return len(recorded) == len(replayed) and all(map(_same_value, recorded, replayed))
    return bool(recorded == replayed)


def _same_words(recorded: Sequence[str], replayed: Sequence[str]) -> bool:
    """Words that the engine adds itself (for pressed keys) are recorded as stand-ins, but replayed as they are."""
    return len(recorded) == len(replayed) and all(
        before == after or (_STAND_IN.fullmatch(before) is not None and _STAND_IN.fullmatch(after) is None)
        for before, after in zip(recorded, replayed, strict=True)
    )
