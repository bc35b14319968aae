"""What a successor needs to go on with a call: written at the turning points, opaque to everybody else."""

from __future__ import annotations

import json
from dataclasses import dataclass

from orchestrator.history import History

VERSION = 1
MAX_BYTES = 256 * 1024


class CheckpointUnreadableError(ValueError):
    """The state is not one that this version wrote."""


@dataclass(frozen=True, slots=True)
class CallMemory:
    """The contents of a checkpoint's state."""

    history: History
    last_candidate_id: int = 0
    language: str = ""
    written: str = ""
    """The whole reply of the last exchange, where it is known and not yet heard to its end."""


def dump(memory: CallMemory) -> bytes:
    """The state as bytes, at most ``MAX_BYTES``: the oldest exchanges are left out where there are too many."""
    rows = memory.history.dump()
    while True:
        state = {
            "v": VERSION,
            "history": rows,
            "candidate": memory.last_candidate_id,
            "language": memory.language,
            "written": memory.written,
        }
        blob = json.dumps(state, ensure_ascii=False, separators=(",", ":")).encode()
        if len(blob) <= MAX_BYTES or not rows:
            return blob
        rows = rows[max(1, len(rows) // 8) :]


def load(blob: bytes) -> CallMemory:
    """Read a state.

    Raises:
        CheckpointUnreadableError: it is damaged, too large, or of another version.
    """
    if len(blob) > MAX_BYTES:
        raise CheckpointUnreadableError("the checkpoint's state is larger than 256 KiB")
    try:
        state = json.loads(blob)
        if state["v"] == VERSION:
            history = History.load(state["history"])
            return CallMemory(history, int(state["candidate"]), str(state["language"]), str(state["written"]))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointUnreadableError("the checkpoint's state is damaged") from error
    raise CheckpointUnreadableError("the checkpoint's state is of another version")
