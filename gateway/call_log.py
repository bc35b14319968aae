"""A line of JSON for everything worth reading again in a call: what was understood and said, and how each turn went.

Off unless ``gateway.call_log`` names a folder, because it holds what people said. One file a call. Written by one
thread behind a bounded queue, never by the media loop; a full or failing disk costs the log, never the call.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from google.protobuf.duration_pb2 import Duration

from parley.conversation.v1 import conversation_pb2 as conv
from servicekit.enum_names import enum_name
from servicekit.logs import get_logger

# Lines waiting for the disk, over all calls; a call makes about five a second.
_MAX_WAITING = 10_000

_Stage = Literal[
    "stt_final",
    "commit",
    "llm_request",
    "llm_first_content",
    "first_clause",
    "tts_first_audio",
    "first_frame_sent",
    "first_frame_heard",
]
_TIMINGS: tuple[_Stage, ...] = (
    "stt_final",
    "commit",
    "llm_request",
    "llm_first_content",
    "first_clause",
    "tts_first_audio",
    "first_frame_sent",
    "first_frame_heard",
)


def milliseconds(duration: Duration) -> float:
    """A Duration in milliseconds, to a tenth."""
    return round(duration.seconds * 1000 + duration.nanos / 1e6, 1)


def timings_ms(timings: conv.TurnTimings) -> dict[str, float | None]:
    """The stages of a turn after the caller's last speech (`eos` = 0), in ms; null where a stage was not reached."""
    stages: dict[str, float | None] = {"eos": 0.0}
    for name in _TIMINGS:
        stages[name] = milliseconds(getattr(timings, name)) if timings.HasField(name) else None
    return stages


def entry(event: conv.AgentEvent) -> dict[str, Any] | None:
    """What to write of an agent event; None for what is not worth a line (audio, marks, checkpoints)."""
    kind = event.WhichOneof("event")
    if kind == "transcript":
        said = event.transcript
        return {
            "kind": kind,
            "turn_id": said.turn_id,
            "speaker": enum_name(conv.Speaker, said.speaker, "SPEAKER_"),
            "text": said.text,
            "final": said.final,
            "playout_id": said.playout_id,
        }
    if kind == "turn":
        turn = event.turn
        line: dict[str, Any] = {
            "kind": kind,
            "turn_id": turn.turn_id,
            "state": enum_name(conv.TurnState, turn.state, "TURN_STATE_"),
            "joins": turn.joins,
            "speculation": enum_name(conv.Speculation, turn.speculation, "SPECULATION_"),
        }
        if turn.state == conv.TURN_STATE_ENDED:
            line["outcome"] = enum_name(conv.TurnOutcome, turn.outcome, "TURN_OUTCOME_")
            line["timings_ms"] = timings_ms(turn.timings)
            line["eos_offset_ms"] = milliseconds(turn.timings.eos_offset)
            line["heard_length"], line["said_length"] = turn.heard_length, turn.said_length
            line["traceparent"] = turn.trace.traceparent
        return line
    if kind == "playout":
        playout = event.playout
        return {
            "kind": kind,
            "playout_id": playout.playout_id,
            "turn_id": playout.turn_id,
            "what": enum_name(conv.PlayoutKind, playout.kind, "PLAYOUT_KIND_"),
            "continues_playout_id": playout.continues_playout_id,
        }
    if kind == "clear":
        return {"kind": kind, "through_playout_id": event.clear.through_playout_id}
    if kind == "notice":
        notice = event.notice
        return {"kind": kind, "code": notice.code, "message": notice.message, "turn_id": notice.turn_id}
    if kind == "end":
        return {"kind": kind, "reason": enum_name(conv.EndReason, event.end.reason, "END_REASON_")}
    return None


class CallLogs:
    """The folder of call logs and the thread that writes it; ``close`` writes what waits, within a bound."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Create the folder (mode 0700) when missing; raises OSError when that cannot be done."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._clock = clock
        self._waiting: queue.Queue[tuple[str, dict[str, Any]] | None] = queue.Queue(_MAX_WAITING)
        self._log = get_logger(__name__)
        self._failed = False
        self._thread = threading.Thread(target=self._write, name="call-log", daemon=True)
        self._thread.start()

    def open(self, call_id: str) -> CallLog:
        """The log of one call."""
        return CallLog(self, call_id, self._clock)

    def put(self, call_id: str, line: dict[str, Any]) -> None:
        """Queue a line; dropped, and said once, when the disk cannot keep up."""
        try:
            self._waiting.put_nowait((call_id, line))
        except queue.Full:
            self._give_up("the disk cannot keep up")

    def close(self, timeout: float = 2.0) -> None:
        """Write what waits and stop the thread."""
        try:
            self._waiting.put(None, timeout=timeout)
        except queue.Full:
            return
        self._thread.join(timeout)

    def _write(self) -> None:
        while (item := self._waiting.get()) is not None:
            call_id, line = item
            try:
                with (self._folder / f"{call_id}.jsonl").open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line, ensure_ascii=False) + "\n")
            except OSError as error:
                self._give_up(error.strerror or "the file cannot be written")

    def _give_up(self, why: str) -> None:
        if not self._failed:
            self._failed = True
            self._log.warning("call log lines are lost; calls go on", why=why, remedy="free or mend gateway.call_log")


class CallLog:
    """One call's log; ``t_ms`` counts from the call's start by a monotonic clock."""

    def __init__(self, logs: CallLogs, call_id: str, clock: Callable[[], float]) -> None:
        self._logs = logs
        self._call_id = call_id
        self._clock = clock
        self._began = clock()
        self.write({"kind": "start", "call_id": call_id})

    def agent_event(self, event: conv.AgentEvent) -> None:
        """Write an agent event when it is worth a line."""
        line = entry(event)
        if line is not None:
            self.write(line)

    def write(self, line: dict[str, Any]) -> None:
        """Write a line."""
        self._logs.put(self._call_id, {"t_ms": round((self._clock() - self._began) * 1000, 1), **line})
