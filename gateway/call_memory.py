"""What the gateway remembers of a conversation it does not understand, so that another orchestrator can go on with it.

The orchestrator that dies takes nothing with it that is not here: the last checkpoint, the highest ids seen, and what
happened since. All bounded; all gone with the call.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from parley.conversation.v1 import conversation_pb2 as conv

_MAX_PLAYBACK: Final = 1_000
_MAX_TRANSCRIPTS: Final = 500
_MAX_RESULTS: Final = 32


class CallMemory:
    """Fed with every agent event but audio, and with every report sent; answers with a `Resume`."""

    def __init__(self) -> None:
        self._checkpoint: conv.Checkpoint | None = None
        self._turn = 0
        self._candidate = 0
        self._playout = 0
        self._mark = 0
        self._control = 0
        self._playback: deque[conv.Playback] = deque(maxlen=_MAX_PLAYBACK)
        self._transcripts: deque[conv.Transcript] = deque(maxlen=_MAX_TRANSCRIPTS)
        self._results: deque[conv.CallControlResult] = deque(maxlen=_MAX_RESULTS)

    @property
    def covered_s(self) -> float:
        """Media time of the caller before which the last checkpoint accounts for everything."""
        if self._checkpoint is None:
            return 0.0
        covered = self._checkpoint.covers_caller_offset
        return covered.seconds + covered.nanos / 1e9

    def observe(self, kind: str, event: conv.AgentEvent) -> None:
        """The orchestrator said this; `kind` is the member of its oneof."""
        if kind == "mark":
            self._mark = max(self._mark, event.mark.mark)
        elif kind == "transcript":
            self._turn = max(self._turn, event.transcript.turn_id)
            if event.transcript.speaker == conv.SPEAKER_AGENT:
                self._transcripts.append(event.transcript)
        elif kind == "turn":
            self._turn = max(self._turn, event.turn.turn_id)
            self._candidate = max(self._candidate, event.turn.candidate_id)
        elif kind == "playout":
            self._playout = max(self._playout, event.playout.playout_id)
            self._turn = max(self._turn, event.playout.turn_id)
            self._candidate = max(self._candidate, event.playout.candidate_id)
        elif kind == "call_control":
            self._control = max(self._control, event.call_control.id)
        elif kind == "checkpoint":
            self._take(event.checkpoint)

    def reported(self, playback: conv.Playback) -> None:
        """The gateway reported this."""
        self._playback.append(playback)

    def answered(self, result: conv.CallControlResult) -> None:
        """The gateway answered an order with this."""
        self._results.append(result)

    def drop_checkpoint(self) -> None:
        """The last checkpoint cannot be read by anybody: only the ids survive."""
        self._checkpoint = None

    def resume(self) -> conv.Resume:
        """What a successor must know."""
        return conv.Resume(
            checkpoint=self._checkpoint,
            highest_turn_id=self._turn,
            highest_candidate_id=self._candidate,
            highest_playout_id=self._playout,
            highest_mark=self._mark,
            highest_call_control_id=self._control,
            playback=self._playback,
            call_control_results=self._results,
            transcripts=self._transcripts,
        )

    def _take(self, checkpoint: conv.Checkpoint) -> None:
        if self._checkpoint is not None and checkpoint.seq <= self._checkpoint.seq:
            return
        self._checkpoint = checkpoint
        self._turn = max(self._turn, checkpoint.last_turn_id)
        self._playout = max(self._playout, checkpoint.last_playout_id)
        # Reports of the newest playout may have crossed the checkpoint on the way: they are kept, for saying twice how
        # far something was heard does no harm, and not saying it would.
        newest = checkpoint.last_playout_id
        self._playback = deque((p for p in self._playback if p.playout_id >= newest), maxlen=_MAX_PLAYBACK)
        self._transcripts = deque((t for t in self._transcripts if t.playout_id >= newest), maxlen=_MAX_TRANSCRIPTS)
        self._results.clear()
