"""The person of one call in real time: does the cases of a plan one after another, each when the agent has finished."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from toolbox.bench.turn_taking.corpus import TAKES_FLOOR, TURN_KINDS, CallPlan, Case
from toolbox.bench.turn_taking.real.line import CallerLine
from toolbox.phone import Call

AUDIBLE_DBFS = -45.0
_REST_S = 0.7
# A pause that is taken back is over by then: what follows is another matter.
_SETTLED_S = 1.4
_ANSWER_S = 6.0
_PATIENCE_S = 20.0


@dataclass
class PlayedCase:
    """A case as it was played; ms of the call, see `Take` for what lies in it."""

    case: Case
    began_ms: float
    take_ms: float | None = None
    opening_end_ms: float | None = None
    reply_ms: float | None = None
    until_ms: float = 0.0
    stuck: bool = False


@dataclass
class LiveCaller:
    """Plays a plan on a call."""

    call: Call
    line: CallerLine
    plan: CallPlan

    async def play(self, played: list[PlayedCase]) -> None:
        """Play all cases; each is noted as it begins.

        Raises:
            CallEndedError: The call ended before.
        """
        await self._rest(_REST_S)
        telling: float | None = None
        for case in self.plan.cases:
            one = PlayedCase(case, self.line.now_ms)
            played.append(one)
            if case.kind in TURN_KINDS:
                await self._take_turn(one)
            else:
                telling = await self._talk_over(one, telling)
            one.until_ms = self.line.now_ms

    async def _take_turn(self, one: PlayedCase) -> None:
        take = one.case.take
        assert take is not None
        spoken, one.take_ms = self.line.play(take)
        await spoken.finished()
        await self._answered(one.take_ms + take.speech_end_ms)
        await self._rest(_REST_S, one)

    async def _talk_over(self, one: PlayedCase, telling: float | None) -> float | None:
        """Do a case while the agent speaks; returns since when it tells something new, None when it has finished."""
        case, line = one.case, self.line
        if telling is None:
            assert case.opening is not None
            spoken, begins = line.play(case.opening)
            await spoken.finished()
            one.opening_end_ms = begins + case.opening.speech_end_ms
            telling = await self._answered(one.opening_end_ms)
        one.reply_ms = telling
        if telling is None:
            one.stuck = True
            return None
        if case.take is None:
            await self._rest(_SETTLED_S, one)
            return None
        wait_ms = telling + case.onset_ms - case.take.speech_start_ms - line.now_ms
        await asyncio.sleep(max(0.0, wait_ms) / 1000.0)
        spoken, one.take_ms = line.play(case.take)
        await spoken.finished()
        ended_ms = one.take_ms + case.take.speech_end_ms
        cleared = [at for clear in self.call.heard.clears if (at := line.ms_of(clear.at)) >= one.take_ms]
        if case.kind in TAKES_FLOOR and cleared:
            # What interrupts is a question too; its answer is the next thing to talk over.
            return await self._answered(max(ended_ms, cleared[-1]))
        await self._rest(_SETTLED_S, one)
        return None

    async def _answered(self, after_ms: float) -> float | None:
        """Wait for sound of the agent that arrives after a moment of the call; None when none does in time."""
        heard = self.call.heard
        after = heard.origin + after_ms / 1000.0 + 1e-6
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER_S):
                return self.line.ms_of(await self.call.hears(AUDIBLE_DBFS, after=after))
        return None

    async def _rest(self, seconds: float, one: PlayedCase | None = None) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self.call.hears_silence(seconds, AUDIBLE_DBFS)
        except TimeoutError:
            if one is not None:
                one.stuck = True
