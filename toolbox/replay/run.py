"""Replaying logs: each on its own, under the same changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from orchestrator.event_log import SUFFIX, EventLogError, RecordedCall, read_log
from toolbox.replay.compare import pair
from toolbox.replay.exact import comparable, first_difference
from toolbox.replay.report import SAME_CALLER, Replayed, rows_of
from toolbox.replay.settings import changed, differences
from toolbox.replay.story import tell
from toolbox.replay.timeline import Drawn, moments_of, timeline
from toolbox.replay.virtual import replay


def logs_in(paths: Iterable[Path]) -> list[Path]:
    """Files as they are; of folders, the logs in them, oldest first.

    Raises:
        EventLogError: there is none.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(path.glob(f"*{SUFFIX}"))
            if not inside:
                raise EventLogError(f"{path}: there is no event log in this folder (they are named *{SUFFIX})")
            found += inside
        else:
            found.append(path)
    return found


def replay_all(paths: Sequence[Path], assignments: Sequence[str]) -> list[Replayed]:
    """Replay every log, with the recorded settings and, where there are assignments, with those over them.

    Raises:
        EventLogError: a log cannot be read.
        SettingsError: an assignment is wrong.
    """
    return [replay_one(read_log(path), assignments) for path in paths]


def replay_one(call: RecordedCall, assignments: Sequence[str]) -> Replayed:
    """Replay one call; see `replay_all`."""
    recorded_settings = changed(call.header.settings, ())
    other_settings = changed(call.header.settings, assignments)
    story = tell(moments_of(call.entries[: comparable(call)]))
    found = Replayed(call, story, first_difference(call, recorded_settings))
    if assignments:
        _, same_settings = replay(call, recorded_settings)
        found.model = pair(story, same_settings)
        if call.recorded_cues is not None:
            call.recorded_cues.guessed = 0
        found.moments, found.replayed = replay(call, other_settings)
        found.changes = pair(story, found.replayed)
    return found


def changed_settings(calls: Sequence[Replayed], assignments: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What the assignments changed, against the first call's settings."""
    if not calls or not assignments:
        return {}
    recorded = calls[0].call.header.settings
    return differences(recorded, changed(recorded, assignments))


def write_timelines(calls: Sequence[Replayed], path: Path) -> list[Path]:
    """Draw each call; one into ``path``, several into files beside it that have the log's name added."""
    written = []
    for one in calls:
        log = one.call.path.name.removesuffix(SUFFIX)
        target = path if len(calls) == 1 else path.with_name(f"{path.stem}-{log}{path.suffix or '.html'}")
        transcripts = one.call.header.transcripts
        charts = [Drawn("As recorded", moments_of(one.call.entries), one.recorded, transcripts)]
        if one.replayed is not None:
            charts.append(Drawn("As replayed", one.moments, one.replayed, transcripts))
        remark = f"{one.call.header.started}, Parley {one.call.header.parley}. " + (
            SAME_CALLER if one.replayed is not None else "Point at anything to read more."
        )
        rows = rows_of(one.changes, all_of_them=True) if one.replayed is not None else []
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(timeline(f"Call {one.call.header.call_id}", remark, charts, rows), encoding="utf-8")
        written.append(target)
    return written
