"""One caller: asks, listens, sometimes interrupts, and takes the time of everything at their own end of the line."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable

from toolbox.bench.questions import Voices
from toolbox.bench.scenario import CallRecord, LoadScenario
from toolbox.phone import Call, CallEndedError, Spoken

AUDIBLE_DBFS = -45.0
_SILENCE_S = 0.6
_CLEAR_BY_S = 1.0
_REFUSED = frozenset({"busy", "no-answer", "failed"})


class Talker:
    """The person of one call of a load bench."""

    def __init__(
        self, scenario: LoadScenario, voices: Voices, chance: random.Random, on_turn: Callable[[], None]
    ) -> None:
        self._scenario = scenario
        self._voices = voices
        self._chance = chance
        self._on_turn = on_turn

    async def talk(self, call: Call, record: CallRecord) -> None:
        """Make the call from beginning to end; what goes wrong with it is in the record."""
        began = time.monotonic()
        try:
            async with call:
                await asyncio.wait_for(call.connected(), self._scenario.patience_s)
                began = time.monotonic()
                await self._hear_out(call)
                await self._converse(call, record, began)
        except (CallEndedError, TimeoutError) as error:
            record.refused = call.status in _REFUSED
            record.failure = f"{type(error).__name__}: {error}"
        record.seconds = time.monotonic() - began
        record.frames_late, record.frames = call.heard.late_frames()

    async def _converse(self, call: Call, record: CallRecord, began: float) -> None:
        asked = 0
        until_s, every = self._scenario.until_s, self._scenario.interrupt_every
        while time.monotonic() - began < until_s if until_s else asked < self._scenario.turns:
            asked += 1
            replied_at = await self._ask(call, record, self._chance.choice(self._voices.questions))
            if replied_at is not None and every and asked % every == 0:
                await self._interrupt(call, record, replied_at)
            await self._hear_out(call)
            # So that calls which began together do not go on together.
            await asyncio.sleep(self._chance.uniform(0.1, 0.7))

    async def _ask(self, call: Call, record: CallRecord, question: bytes) -> float | None:
        """Ask into silence; returns when the reply was heard, None when it was not."""
        spoken = await call.play_mulaw(question).finished()
        return await self._answer(call, record, spoken, silent_since=spoken.speech_started_at)

    async def _interrupt(self, call: Call, record: CallRecord, replied_at: float) -> None:
        """Speak into a reply; what is said is a turn of its own and answered too."""
        await asyncio.sleep(max(0.0, replied_at + self._scenario.interrupt_after_s - time.monotonic()))
        spoken = await call.play_mulaw(self._chance.choice(self._voices.interruptions)).finished()
        cleared_at = await self._clear(call, spoken)
        if cleared_at is None:
            record.interruptions_missed += 1
            return
        record.barge_in_ms.append((cleared_at - spoken.speech_started_at) * 1000)
        # What arrived together with the `clear` came before it.
        await self._answer(call, record, spoken, silent_since=math.nextafter(cleared_at, math.inf))

    async def _clear(self, call: Call, spoken: Spoken) -> float | None:
        """When the `clear` for an interruption arrived; None when it did not within a second of its end."""
        heard = call.heard
        try:
            async with asyncio.timeout(_CLEAR_BY_S):
                await call.handset.changes.until(
                    lambda: call.is_over or heard.first_clear(after=spoken.speech_started_at) is not None
                )
        except TimeoutError:
            return None
        return heard.first_clear(after=spoken.speech_started_at)

    async def _answer(self, call: Call, record: CallRecord, spoken: Spoken, *, silent_since: float) -> float | None:
        """Take the time of the reply to something said; the agent should be silent since some time before its end."""
        record.turns += 1
        self._on_turn()
        early = call.heard.first_received_above(AUDIBLE_DBFS, after=silent_since)
        if early is not None and early < spoken.speech_ended_at:
            record.turns_cut_off += 1
            return early
        try:
            async with asyncio.timeout(self._scenario.patience_s):
                heard_at = await call.hears(AUDIBLE_DBFS, after=spoken.speech_ended_at)
        except TimeoutError:
            record.turns_unanswered += 1
            return None
        record.response_latency_ms.append((heard_at - spoken.speech_ended_at) * 1000)
        return heard_at

    async def _hear_out(self, call: Call) -> None:
        """Listen until the agent has finished."""
        async with asyncio.timeout(self._scenario.patience_s * 2):
            await call.hears_silence(_SILENCE_S)
