"""`parley bench tts`: what was asked for, run part by part, and put together as one report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolbox.bench.machine import Occasion
from toolbox.bench.tts import round_trip
from toolbox.bench.tts.client import speak
from toolbox.bench.tts.neural import measure_kokoro
from toolbox.bench.tts.service import running_voice
from toolbox.bench.tts.soak import measure_soak
from toolbox.bench.tts.targets import targets
from toolbox.bench.tts.texts import all_familiar, familiar, fresh, long_reply
from toolbox.bench.tts.turns import (
    CALLERS,
    measure_alone,
    measure_bursts,
    measure_cancelling,
    measure_rested,
    measure_turns,
)

_TURN_S = 6.0
PARTS = ("espeak", "cached", "kokoro", "round-trip", "soak")

Say = Callable[[str, int], Callable[[int], None]]
"""Begins a part of the work: its name and how many steps it has; returns what to tell the number of steps done to."""


@dataclass(frozen=True)
class TtsPlan:
    """What `bench tts` was asked for. `soak` is a number of segments; None is as many as the form has."""

    short: bool = False
    soak: int | None = None
    parts: tuple[str, ...] = PARTS
    seed: int = 1
    config: Path | None = None
    settings: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """How long the callers call, for each engine."""
        return 5.0 if self.short else 60.0

    @property
    def segments(self) -> int:
        """How many segments the soak has spoken."""
        return self.soak if self.soak is not None else 60 if self.short else 10_000

    def differences(self) -> dict[str, Any]:
        """What differs from the default."""
        default = TtsPlan()
        names = ("short", "soak", "parts", "seed")
        changed = {name: getattr(self, name) for name in names if getattr(self, name) != getattr(default, name)}
        return changed | dict(setting.split("=", 1) for setting in self.settings)


async def measure_tts(plan: TtsPlan, say: Say) -> dict[str, Any]:
    """Run a plan and return the report, as `docs/` and the other benches shape it.

    Raises ServiceFailedError where a service cannot start, AioRpcError where one fails.
    """
    occasion = Occasion()
    engines: dict[str, Any] = {}
    figures: dict[str, Any] = {"round_trip_word_pct": None}
    if "espeak" in plan.parts:
        engines["espeak"] = await _espeak(plan, say)
    if "cached" in plan.parts:
        engines["cached"] = await _cached(plan, say)
    if "kokoro" in plan.parts:
        done = say("kokoro", 1)
        engines["kokoro"] = await measure_kokoro(short=plan.short, settings=plan.settings, config=plan.config)
        done(1)
    if "round-trip" in plan.parts:
        figures |= await round_trip.measure_round_trip(
            short=plan.short,
            settings=plan.settings,
            config=plan.config,
            on_sentences=say("sentences there and back", round_trip.steps(short=plan.short)),
        )
    if "soak" in plan.parts:
        figures["soak"] = await measure_soak(
            plan.segments, settings=plan.settings, config=plan.config, on_segments=say("segments", plan.segments)
        )
    return {
        **occasion.head(plan.differences()),
        "engines": engines,
        **figures,
        "targets": targets(engines, figures),
    }


async def _espeak(plan: TtsPlan, say: Say) -> dict[str, Any]:
    """The embedded voice, with nothing to be found in the cache."""
    on_turns = say("turns of the embedded voice", _expected(plan))
    async with running_voice("tts.engine=espeak", config=plan.config, more=plan.settings) as voice:
        for _ in range(10):
            await speak(voice.stub, ["A word before it counts."])
        return {
            **await measure_turns(voice.stub, fresh, seconds=plan.seconds, seed=plan.seed, on_turns=on_turns),
            **await measure_bursts(voice.stub, fresh, bursts=1 if plan.short else 15, seed=plan.seed),
            **await measure_alone(voice.stub, fresh, replies=10 if plan.short else 100, seed=plan.seed),
            **await measure_rested(voice.stub, fresh, replies=5 if plan.short else 50, seed=plan.seed),
            **await measure_cancelling(voice.stub, times=5 if plan.short else 50, reply=long_reply),
        }


async def _cached(plan: TtsPlan, say: Say) -> dict[str, Any]:
    """The same voice with everything said before; a cancelled reply is minutes of it."""
    on_turns = say("turns from the cache", _expected(plan))
    async with running_voice("tts.engine=espeak", config=plan.config, more=plan.settings) as voice:
        for _ in range(2):
            await speak(voice.stub, all_familiar())
        return {
            **await measure_turns(voice.stub, familiar, seconds=plan.seconds, seed=plan.seed, on_turns=on_turns),
            **await measure_bursts(voice.stub, familiar, bursts=1 if plan.short else 15, seed=plan.seed),
            **await measure_alone(voice.stub, familiar, replies=10 if plan.short else 100, seed=plan.seed),
            **await measure_rested(voice.stub, familiar, replies=5 if plan.short else 50, seed=plan.seed),
            **await measure_cancelling(
                voice.stub, times=5 if plan.short else 50, reply=lambda number: all_familiar() * 4
            ),
        }


def _expected(plan: TtsPlan) -> int:
    return max(CALLERS, round(CALLERS * plan.seconds / _TURN_S))
