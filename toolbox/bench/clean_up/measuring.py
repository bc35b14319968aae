"""`parley bench clean-up`: what was asked for, run, and put together as one report."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from orchestrator.clean_up import CleanUpSettings, check
from parley.stt.v1 import stt_pb2_grpc
from servicekit.channels import open_channel
from toolbox.bench.clean_up.places import NOISES
from toolbox.bench.clean_up.speech import CASES, NoisySpeech
from toolbox.bench.clean_up.turns import KINDS, turns_with
from toolbox.bench.machine import machine
from toolbox.bench.turn_taking import default_cache
from toolbox.serve import ServiceGroup, standard_specs
from toolbox.version import parley_version

CLEANED: Final = ("off", "moderate", "high", "high + level")
"""What is compared, by `CleanUpSettings.noise_suppression`; the last with level control."""
_SNRS_DB: Final = (20.0, 10.0, 5.0)
_TURNS, _TURNS_SHORT = 600, 24
_SPEECH_SHORT = 7

Say = Callable[[str, int], Callable[[int], None]]


@dataclass(frozen=True)
class CleanUpPlan:
    """What `bench clean-up` was asked for."""

    short: bool = False
    seed: int = 1
    cache: Path | None = None


def settings_of(name: str) -> CleanUpSettings:
    """The settings behind a name of `CLEANED`."""
    suppression, _, level = name.partition(" + ")
    return CleanUpSettings.model_validate(
        {"noise_suppression": suppression, "level_control": bool(level), "for_recognition": True}
    )


async def measure_clean_up(plan: CleanUpPlan, say: Say) -> dict[str, Any]:
    """Run a plan and return the report.

    Raises:
        servicekit.startup.StartupError: The library that cleans is not installed.
        ServiceFailedError: The recogniser cannot start.
    """
    started, began = datetime.now(UTC), time.monotonic()
    names = ("off", "high") if plan.short else CLEANED
    check(settings_of(names[-1]))
    turns = {name: _turns(plan, name, say) for name in names}
    return {
        "parley": parley_version(),
        "machine": machine(),
        "settings": {name: getattr(plan, name) for name in ("short", "seed") if getattr(plan, name)},
        "started": started.isoformat(timespec="seconds"),
        "turn_taking": turns,
        "speech": await _speech(plan, names, say),
        "seconds": round(time.monotonic() - began, 1),
    }


def _turns(plan: CleanUpPlan, name: str, say: Say) -> Any:
    cases = _TURNS_SHORT if plan.short else _TURNS
    return turns_with(
        settings_of(name),
        cases,
        seed=plan.seed,
        cache=plan.cache or default_cache(),
        workers=os.cpu_count() or 1,
        on_case=say(f"cases in virtual time, clean-up {name}", cases * len(KINDS)),
    )


async def _speech(plan: CleanUpPlan, names: tuple[str, ...], say: Say) -> list[dict[str, Any]]:
    snrs = _SNRS_DB[1:2] if plan.short else _SNRS_DB
    told = say("noises, by setting", len(NOISES) * len(snrs) * len(names))
    rows: list[dict[str, Any]] = []
    specs = [
        replace(spec, settings=(*spec.settings, "stt.engine=pocketsphinx", "logs.level=warning"))
        for spec in standard_specs(("stt",), any_port=True)
    ]
    async with (
        ServiceGroup(specs, stop_timeout_s=8.0, restart=None) as group,
        open_channel(group.address("stt")) as channel,
    ):
        stt = stt_pb2_grpc.SpeechToTextStub(channel)
        for noise in NOISES:
            for snr_db in snrs:
                speech = NoisySpeech(noise, snr_db, cases=_SPEECH_SHORT if plan.short else CASES)
                for name in names:
                    figures = await speech.with_clean_up(settings_of(name), stt)
                    rows.append({"clean_up": name, **figures})
                    told(len(rows))
    return rows
