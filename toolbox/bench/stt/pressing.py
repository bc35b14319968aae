"""One model under measurement: alone, in real time, and with many streams that all press at once."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any

from toolbox.bench.distribution import distribution
from toolbox.bench.stt.client import Heard, SttClient
from toolbox.bench.stt.plan import SttPlan


class Pressing:
    """Measures a service with the utterances of a bench."""

    def __init__(self, client: SttClient, utterances: Sequence[bytes], plan: SttPlan, step: Callable[[], None]) -> None:
        """Call ``step`` after each utterance."""
        self._client = client
        self._utterances = utterances
        self._plan = plan
        self._step = step

    async def alone(self) -> tuple[list[float], list[str]]:
        """Utterances one at a time on an idle service: ms of each final, and the texts of all different ones."""
        await self._client.recognise(self._utterances[0])
        heard = [await self._one(utterance) for utterance in self._round(self._plan.singles)]
        return [one.final_ms for one in heard], [one.text for one in heard[: len(self._utterances)]]

    async def reused(self) -> list[float]:
        """Ms of a final after a finalize that had been answered."""
        times = []
        for utterance in self._round(self._plan.singles // 2):
            times.append(await self._client.finalize_then_finish(utterance))
            self._step()
        return times

    async def pressed(self) -> tuple[float, list[float], dict[int, str]]:
        """All streams at once, each with one utterance after the other: finals per second, ms of each, texts."""
        texts: dict[int, str] = {}
        waits: list[float] = []

        async def stream(first: int) -> None:
            for number in range(self._plan.rounds):
                index = (first + number) % len(self._utterances)
                heard = await self._client.press(self._utterances[index])
                texts[index] = heard.text
                waits.append(heard.final_ms)
                self._step()

        began_at = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for first in range(self._plan.streams):
                tasks.create_task(stream(first))
        return len(waits) / (time.monotonic() - began_at), waits, texts

    async def in_real_time(self, streams: int) -> dict[str, Any]:
        """So many streams that speak in real time and want partials: when partials come, and when finals."""
        heard: list[Heard] = []

        async def stream(number: int) -> None:
            # Not all of them in step.
            await asyncio.sleep(number / streams)
            for turn in range(self._plan.paced_rounds(streams)):
                utterance = self._utterances[(number + turn) % len(self._utterances)]
                heard.append(await self._client.recognise(utterance, paced=True, partials=True))
                self._step()

        async with asyncio.TaskGroup() as tasks:
            for number in range(streams):
                tasks.create_task(stream(number))
        return {
            "streams": streams,
            "partial_ms": distribution(list(itertools.chain.from_iterable(one.partial_gaps_ms for one in heard))),
            "partials_per_utterance": round(sum(len(one.partial_gaps_ms) for one in heard) / len(heard), 1),
            "final_ms": distribution([one.final_ms for one in heard]),
        }

    def _round(self, count: int) -> list[bytes]:
        return [self._utterances[number % len(self._utterances)] for number in range(count)]

    async def _one(self, utterance: bytes) -> Heard:
        heard = await self._client.recognise(utterance)
        self._step()
        return heard
