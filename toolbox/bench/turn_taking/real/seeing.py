"""From the record of a call in real time, and the gateway's log of it, to what was seen of each case."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from orchestrator.engine import words_of
from toolbox.bench.turn_taking.corpus import TURN_KINDS, CaseKind, written
from toolbox.bench.turn_taking.corpus.places import DIGITS
from toolbox.bench.turn_taking.observation import CallObservations, EngineTimings, Observation, SpeculationCount
from toolbox.bench.turn_taking.real.caller import AUDIBLE_DBFS, PlayedCase
from toolbox.bench.turn_taking.real.line import CallerLine
from toolbox.bench.turn_taking.real.resuming import resumptions
from toolbox.phone import Heard
from toolbox.phone.heard import HeardMark, MediaArrival, power_of_dbfs

_CLEAR_WITHIN_MS = 1000.0
# An agent that goes on after a `clear` is silent for a moment; what comes sooner belongs to what was before.
_GOES_ON_AFTER_MS = 20.0
_MARK_EVERY_MS = 200.0
_SAME_TURN_MS = 1500.0
_DIGIT: Final = re.compile(r"[0-9]")
_STAGES = ("stt_final", "commit", "llm_first_content", "first_clause", "tts_first_audio", "first_frame_sent")


@dataclass
class LoggedTurn:
    """A turn as the gateway's call log has it; ``eos_ms`` is in ms of the call."""

    turn_id: int
    text: str = ""
    joins: int = 0
    outcome: str = ""
    speculation: str = ""
    eos_ms: float = 0.0
    timings: dict[str, float | None] = field(default_factory=dict)


def read_turns(log: Path, stream_began_ms: float) -> dict[int, LoggedTurn]:
    """Read the turns of a call log; ``stream_began_ms`` is where the engine's media time begins in the call."""
    turns: dict[int, LoggedTurn] = {}
    for line in log.read_text(encoding="utf-8").splitlines():
        entry: dict[str, Any] = json.loads(line)
        turn_id = int(entry.get("turn_id") or 0)
        if not turn_id:
            continue
        turn = turns.setdefault(turn_id, LoggedTurn(turn_id))
        if entry["kind"] == "transcript" and entry["speaker"] == "caller":
            turn.text = entry["text"]
        elif entry["kind"] == "turn":
            turn.joins = entry["joins"] or turn.joins
            if entry["state"] == "ended":
                turn.outcome, turn.speculation = entry["outcome"], entry["speculation"]
                turn.timings, turn.eos_ms = entry["timings_ms"], entry["eos_offset_ms"] + stream_began_ms
    return turns


def observe_call(played: Sequence[PlayedCase], line: CallerLine, turns: dict[int, LoggedTurn]) -> CallObservations:
    """What was seen of a call's cases."""
    heard = line.handset.heard
    loud = [(line.ms_of(one.at), one.size / 8.0) for one in heard.media if one.loudest > power_of_dbfs(AUDIBLE_DBFS)]
    seen = CallObservations()
    for one in played:
        observation = Observation(case_id=one.case.case_id, kind=one.case.kind, detail=one.case.detail, stuck=one.stuck)
        if one.case.kind in TURN_KINDS:
            _see_turn(observation, one, line, loud, turns)
        elif one.reply_ms is not None:
            _see_over(observation, one, heard, line, loud, turns)
            if not observation.cancelled:
                observation.resumptions = resumptions(
                    heard.media,
                    heard.clears,
                    line.reply,
                    from_at=heard.origin + one.reply_ms / 1000.0,
                    until_at=heard.origin + one.until_ms / 1000.0,
                )
        seen.cases.append(observation)
    seen.speculation = _speculation(turns)
    return seen


def _see_turn(
    seen: Observation,
    one: PlayedCase,
    line: CallerLine,
    loud: Sequence[tuple[float, float]],
    turns: dict[int, LoggedTurn],
) -> None:
    take, begin = one.case.take, one.take_ms
    if take is None or begin is None:
        return
    seen.began_ms, seen.ended_ms = begin + take.speech_start_ms, begin + take.speech_end_ms
    early = [at for at, _ in loud if seen.began_ms <= at < seen.ended_ms]
    clears = [
        at for clear in line.handset.heard.clears if seen.began_ms <= (at := line.ms_of(clear.at)) <= one.until_ms
    ]
    silent_from = seen.ended_ms
    if early:
        seen.cut_off_ms = early[0]
        goes_on = next((begin + back for _, back in take.pauses if begin + back > early[0]), early[0])
        stopped = next((at for at in clears if at >= goes_on), None)
        if stopped is not None:
            seen.cut_stopped_ms = stopped - goes_on
        silent_from = max([seen.ended_ms, *clears])
    seen.answered_ms = next((at for at, _ in loud if silent_from <= at <= one.until_ms), None)
    seen.early_commits = sum(
        1
        for turn in turns.values()
        if seen.began_ms < turn.eos_ms < seen.ended_ms - _SAME_TURN_MS / 10 and turn.timings.get("commit") is not None
    )
    answering = _turn_near(turns, seen.ended_ms)
    if seen.answered_ms is not None and answering is not None:
        stages = {name: answering.timings.get(name) for name in _STAGES}
        seen.engine = EngineTimings(eos_error_ms=answering.eos_ms - seen.ended_ms, **stages)
    if seen.answered_ms is not None:
        own = [word for word in line.words.caller if seen.began_ms - 1.0 <= word.start_ms <= seen.ended_ms]
        seen.understood = answering is not None and _letters(_whole(answering, turns)) == _letters(written(own))
        seen.joined = seen.understood if early else None


def _turn_near(turns: dict[int, LoggedTurn], ended_ms: float) -> LoggedTurn | None:
    """The turn that was answered and whose end of speech is this one."""
    near = [
        turn
        for turn in turns.values()
        if turn.timings.get("commit") is not None and abs(turn.eos_ms - ended_ms) < _SAME_TURN_MS
    ]
    return min(near, key=lambda turn: abs(turn.eos_ms - ended_ms), default=None)


def _whole(turn: LoggedTurn, turns: dict[int, LoggedTurn]) -> str:
    joined = turns.get(turn.joins) if turn.joins and turn.joins != turn.turn_id else None
    return f"{_whole(joined, turns)} {turn.text}" if joined is not None else turn.text


def _letters(text: str) -> str:
    """A text without spaces and punctuation, its digits as words: some recognisers write them so."""
    return _DIGIT.sub(lambda digit: DIGITS[int(digit[0])], "".join(words_of(text)))


def _see_over(
    seen: Observation,
    one: PlayedCase,
    heard: Heard,
    line: CallerLine,
    loud: Sequence[tuple[float, float]],
    turns: dict[int, LoggedTurn],
) -> None:
    reply_ms, take = one.reply_ms, one.case.take
    assert reply_ms is not None
    if one.case.kind is CaseKind.ECHO or take is None or one.take_ms is None:
        seen.began_ms, seen.ended_ms = reply_ms, one.until_ms
    else:
        seen.began_ms, seen.ended_ms = one.take_ms + take.speech_start_ms, one.take_ms + take.speech_end_ms
    until = max(one.until_ms, seen.ended_ms)
    clears = [at for clear in heard.clears if seen.began_ms <= (at := line.ms_of(clear.at)) <= until]
    meant = [at for at in clears if at <= seen.ended_ms + _CLEAR_WITHIN_MS]
    seen.barge_in_ms = meant[0] - seen.began_ms if meant else None
    told = _turn_told(turns, reply_ms)
    seen.cancelled = told is not None and told.outcome != "completed"
    if not seen.cancelled:
        gaps = [
            next((begin - at for begin, _ in loud if at + _GOES_ON_AFTER_MS < begin <= until), None) for at in clears
        ]
        seen.hiccups_ms = [gap for gap in gaps if gap is not None]
    ends = [*(clear.at for clear in heard.clears[1:]), math.inf]
    seen.stale_ms = max(
        (
            stale_ms(clear.at, heard.media, heard.marks, until=end)
            for clear, end in zip(heard.clears, ends, strict=False)
            if line.ms_of(clear.at) in clears
        ),
        default=0.0,
    )


def stale_ms(
    clear_at: float, media: Sequence[MediaArrival], marks: Sequence[HeardMark], *, until: float = math.inf
) -> float:
    """Sound of a silenced playout that came after its `clear`; times are the phone's clock.

    ``until`` is the next `clear`: what was begun between the two and had no mark yet is not of this one.

    Every 200 ms of a playout's sound, counted from its first, are followed by a mark that names the playout. So what
    comes after a `clear` before a mark of an old playout is stale, and so is what makes the first stretch before a new
    playout's mark too long.
    """
    old = max((_playout_of(mark) for mark in marks if mark.received_at <= clear_at), default=0)
    stale = waiting = 0.0
    later = [mark for mark in marks if clear_at < mark.received_at < until]
    arrivals = iter([one for one in media if clear_at < one.at < until])
    arrival = next(arrivals, None)
    for mark in later:
        while arrival is not None and arrival.start < mark.behind:
            waiting += arrival.size / 8.0
            arrival = next(arrivals, None)
        if _playout_of(mark) > old:
            return stale + max(0.0, waiting - _MARK_EVERY_MS)
        stale, waiting = stale + waiting, 0.0
    waiting += sum(one.size / 8.0 for one in arrivals) + (arrival.size / 8.0 if arrival is not None else 0.0)
    return stale + max(0.0, waiting - _MARK_EVERY_MS)


def _playout_of(mark: HeardMark) -> int:
    return int(mark.name.partition(".")[0])


def _turn_told(turns: dict[int, LoggedTurn], reply_ms: float) -> LoggedTurn | None:
    """The turn whose reply began to be heard at a moment: the last one that ended before it and was answered."""
    earlier = [
        turn for turn in turns.values() if turn.timings.get("first_frame_sent") is not None and turn.eos_ms < reply_ms
    ]
    return max(earlier, key=lambda turn: turn.eos_ms, default=None)


def _speculation(turns: dict[int, LoggedTurn]) -> SpeculationCount:
    hits = sum(1 for turn in turns.values() if turn.speculation == "hit")
    misses = sum(1 for turn in turns.values() if turn.speculation == "miss")
    answered = sum(1 for turn in turns.values() if turn.timings.get("commit") is not None)
    # The log tells of a turn that it missed, not how often: each counts once.
    return SpeculationCount(turns=hits + misses, hits=hits, requests=answered + misses, wasted=misses)
