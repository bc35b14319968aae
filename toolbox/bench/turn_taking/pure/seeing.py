"""From the record of a call in virtual time to what was seen of each case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from orchestrator import engine
from orchestrator.engine import words_of
from toolbox.bench.turn_taking.corpus import TURN_KINDS, CaseKind, Word, written
from toolbox.bench.turn_taking.observation import EngineTimings, Observation
from toolbox.bench.turn_taking.pure.agent import Agent, Sound
from toolbox.bench.turn_taking.pure.caller import Played

# A `clear` that comes later than this after the caller's end was not meant for them.
_CLEAR_WITHIN_MS = 1000.0
_SAME_MS = 1.0


def observe(
    played: Played, agent: Agent, ended: Mapping[int, engine.ReportTurn], spoken: Sequence[Word]
) -> Observation:
    """What was seen of one case; ``spoken`` are all words of the caller, in call time."""
    case = played.case
    seen = Observation(case_id=case.case_id, kind=case.kind, detail=case.detail, stuck=played.stuck)
    if case.kind in TURN_KINDS and case.take is not None and played.take_ms is not None:
        seen.began_ms = played.take_ms + case.take.speech_start_ms
        seen.ended_ms = played.take_ms + case.take.speech_end_ms
        _see_turn(seen, played, agent, spoken)
    elif played.reply_from_ms is not None:
        _see_over(seen, played, agent, ended)
    return seen


def _replies(agent: Agent, from_ms: float, to_ms: float) -> list[Sound]:
    """Replies that begin to sound in a stretch of time; fillers and prompts are none."""
    return [sound for sound in agent.sounds if sound.candidate_id and from_ms <= sound.from_ms < to_ms]


def _see_turn(seen: Observation, played: Played, agent: Agent, spoken: Sequence[Word]) -> None:
    take, begin = played.case.take, played.take_ms
    assert take is not None
    assert begin is not None
    answers = _replies(agent, seen.ended_ms, played.until_ms)
    seen.answered_ms = answers[0].from_ms if answers else None
    early = _replies(agent, seen.began_ms, seen.ended_ms)
    commits = [(at, commit) for at, commit in agent.commits if seen.began_ms <= at <= played.until_ms]
    seen.early_commits = sum(1 for at, _ in commits if at < seen.ended_ms)
    if early:
        seen.cut_off_ms = early[0].from_ms
        goes_on = next((begin + back for _, back in take.pauses if begin + back > early[0].from_ms), early[0].from_ms)
        if early[0].to_ms > goes_on:
            seen.cut_stopped_ms = early[0].to_ms - goes_on
    if early and answers:
        own = [word for word in spoken if seen.began_ms - _SAME_MS <= word.start_ms <= seen.ended_ms]
        asked = agent.asked.get(answers[0].candidate_id)
        seen.joined = asked is not None and _letters(asked.text) == _letters(written(own))
    if answers:
        for at, commit in reversed(commits):
            if commit.candidate_id == answers[0].candidate_id:
                seen.engine = EngineTimings(
                    eos_error_ms=commit.eos_ms - seen.ended_ms,
                    commit=at - commit.eos_at_ms,
                    first_frame_sent=answers[0].from_ms - agent.models.line_ms - commit.eos_at_ms,
                )


def _letters(text: str) -> str:
    """A text without its spaces and punctuation: digits may be grouped otherwise when turns are joined."""
    return "".join(words_of(text))


def _see_over(seen: Observation, played: Played, agent: Agent, ended: Mapping[int, engine.ReportTurn]) -> None:
    reply_from, take = played.reply_from_ms, played.case.take
    assert reply_from is not None
    first = next(sound for sound in agent.sounds if sound.candidate_id and sound.from_ms >= reply_from - _SAME_MS)
    same = [sound for sound in agent.sounds if sound.turn_id == first.turn_id and sound.candidate_id]
    if played.case.kind is CaseKind.ECHO or take is None or played.take_ms is None:
        seen.began_ms, seen.ended_ms = first.from_ms, same[-1].to_ms
    else:
        seen.began_ms = played.take_ms + take.speech_start_ms
        seen.ended_ms = played.take_ms + take.speech_end_ms
    clear = next((at for at in agent.clears if seen.began_ms <= at <= seen.ended_ms + _CLEAR_WITHIN_MS), None)
    seen.barge_in_ms = None if clear is None else clear - seen.began_ms
    outcome = ended.get(first.turn_id)
    seen.cancelled = outcome is not None and outcome.outcome is not engine.Outcome.COMPLETED
    seen.hiccups_ms = [
        after.from_ms - before.to_ms
        for before, after in pairwise(same)
        if before.cleared and after.playout_id != before.playout_id
    ]
