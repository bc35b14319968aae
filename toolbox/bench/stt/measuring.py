"""`parley bench stt`: each model in turn, then what cancelled and very many utterances leave behind."""

from __future__ import annotations

import asyncio
import importlib.util
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from toolbox.bench.distribution import distribution
from toolbox.bench.machine import Occasion, machine
from toolbox.bench.stt.plan import TOKENS, UTTERANCE_S, SttBenchError, SttPlan
from toolbox.bench.usage import measured_usage

_FULL_WINDOW_S = 30
_DIFFERENT = 16
"""Utterances that differ from one another."""
_COMPARED = 4

Say = Callable[[str, int], Callable[[int], None]]
"""Told what is under way and of how many steps; answers with what is to be told each step's number."""


async def measure_stt(plan: SttPlan, say: Say) -> dict[str, Any]:
    """Measure and report.

    Raises SttBenchError when faster-whisper is not installed, ServiceFailedError when the service does not start.
    """
    if importlib.util.find_spec("faster_whisper") is None:
        raise SttBenchError("faster-whisper is not installed: install Parley's extra `stt-whisper`")
    from toolbox.bench.stt.random_whisper import DIMENSIONS  # noqa: PLC0415
    from toolbox.bench.stt.sayings import sayings  # noqa: PLC0415 - both load the library, if it is here

    unknown = [name for name in plan.models if name not in DIMENSIONS]
    if unknown:
        raise SttBenchError(f"no dimensions of {', '.join(unknown)} are known; choose among {', '.join(DIMENSIONS)}")
    occasion = Occasion()
    utterances = await asyncio.to_thread(sayings, _DIFFERENT)
    models: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="parley-whisper-") as folder:
        for name in plan.models:
            models[name] = await _measure_model(name, Path(folder) / name, utterances, plan, say)
        leaks = await _measure_leaks(Path(folder) / "smallest", utterances, plan, say)
    return {
        **occasion.head(plan.differences()),
        "device": "cpu",
        "conditions": _conditions(plan),
        "models": models,
        **leaks,
    }


def _conditions(plan: SttPlan) -> dict[str, Any]:
    return {
        "weights": "random, of the named model's dimensions, int8",
        "utterance_s": UTTERANCE_S,
        "tokens": TOKENS,
        "streams": plan.streams,
        "naive": (
            "WhisperModel.transcribe, one utterance after the other on all cores: beam 1, temperature 0, int8, "
            f"{TOKENS} tokens, language given, no voice detection, no thresholds, window {_FULL_WINDOW_S} s"
        ),
        "service": (
            f"the same with stt.whisper.max_tokens={TOKENS} on a model that never ends a text by itself, thresholds "
            "open, voice detection on, window as stt.whisper.shortest_window_s says"
        ),
    }


async def _measure_model(
    name: str, folder: Path, utterances: Sequence[bytes], plan: SttPlan, say: Say
) -> dict[str, Any]:
    from toolbox.bench.stt.naive import run_naive  # noqa: PLC0415 - loads the library
    from toolbox.bench.stt.pressing import Pressing  # noqa: PLC0415
    from toolbox.bench.stt.random_whisper import DIMENSIONS, build_random_whisper  # noqa: PLC0415
    from toolbox.bench.stt.sayings import as_heard  # noqa: PLC0415
    from toolbox.bench.stt.service import stt_service  # noqa: PLC0415

    cores = machine()["cores"]
    built = say(f"model of the dimensions of {name}", 1)
    await asyncio.to_thread(build_random_whisper, folder, DIMENSIONS[name], quantization="int8")
    built(1)
    counted = _counter(say(f"utterances with {name}, one at a time, pressing and in real time", _steps(plan)))
    async with stt_service(folder, plan.streams, plan.settings) as (client, pid):
        info = await client.info()
        async with measured_usage({"stt": pid}) as usage:
            pressing = Pressing(client, utterances, plan, counted)
            finals, texts = await pressing.alone()
            reused = await pressing.reused()
            per_s, waits, pressed_texts = await pressing.pressed()
            real_time = [await pressing.in_real_time(streams) for streams in plan.paced_streams]
    slow = say(f"utterances with {name} by the plain library", plan.naive)
    naive = await asyncio.to_thread(run_naive, folder, [as_heard(one) for one in utterances[: plan.naive]], cores)
    slow(plan.naive)
    full = [*plan.settings, f"stt.whisper.shortest_window_s={_FULL_WINDOW_S}"]
    async with stt_service(folder, plan.streams, full) as (client, _):
        same_window = [(await client.press(one)).text for one in utterances[:_COMPARED]]
    return {
        "final_ms": distribution(finals),
        "reuse_ms": distribution(reused, digits=2),
        "utterances_per_s": round(per_s, 2),
        "naive_utterances_per_s": round(naive.utterances_per_s, 2),
        "times_naive": round(per_s / naive.utterances_per_s, 2),
        "wait_ms": distribution(waits),
        "partial_ms": real_time[0]["partial_ms"],
        "in_real_time": real_time,
        "rss_mb": round(usage.rss_mb["stt"], 1),
        "cpu_s": round(usage.cpu_s["stt"], 1),
        "texts_under_load_equal": all(
            texts[index] == text for index, text in pressed_texts.items() if index < len(texts)
        ),
        "texts_equal_naive_in_same_window": tuple(same_window) == naive.texts[:_COMPARED],
        "different_texts": len(set(texts)),
        "service_model": f"{info.engine} {info.engine_version}",
    }


def _steps(plan: SttPlan) -> int:
    paced = sum(streams * plan.paced_rounds(streams) for streams in plan.paced_streams)
    return plan.singles + plan.singles // 2 + plan.streams * plan.rounds + paced


async def _measure_leaks(folder: Path, utterances: Sequence[bytes], plan: SttPlan, say: Say) -> dict[str, Any]:
    """On the smallest model that runs: what is left behind does not depend on how much is computed meanwhile."""
    from toolbox.bench.stt.leaks import cut_off_many, soak  # noqa: PLC0415 - loads the library
    from toolbox.bench.stt.random_whisper import SMALLEST, build_random_whisper  # noqa: PLC0415
    from toolbox.bench.stt.service import stt_service  # noqa: PLC0415

    await asyncio.to_thread(build_random_whisper, folder, SMALLEST)
    leaks: dict[str, Any] = {}
    async with stt_service(folder, plan.streams, plan.settings) as (client, pid):
        counted = _counter(say("utterances that are cut off", plan.cancelled))
        leaks["cancelled"] = await cut_off_many(client, pid, utterances, plan.cancelled, counted)
        if plan.soak:
            counted = _counter(say("utterances over which memory is watched", plan.soak))
            leaks["soak"] = await soak(client, pid, utterances, plan.soak, counted)
    return leaks


def _counter(tell: Callable[[int], None]) -> Callable[[], None]:
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        tell(done)

    return step
