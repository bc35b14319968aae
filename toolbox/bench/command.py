"""`parley bench`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else there.")]
Config = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="Settings file for gateway and orchestrator.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="One setting, over all others. Repeatable."),
]


@app.callback()
def bench() -> None:
    """Measure Parley from outside, at the simulated telephone line.

    The gateway and the orchestrator are the real ones; speech-to-text, text-to-speech and the brain are instant
    engines, so that what is measured is Parley itself.
    """


@app.command()
def load(
    calls: Annotated[int, typer.Option("-n", "--calls", min=1, help="Calls at the same time.")] = 10,
    turns: Annotated[int, typer.Option(min=1, help="Questions in each call.")] = 10,
    minutes: Annotated[float, typer.Option(min=0, help="Let calls last so long instead of counting turns.")] = 0.0,
    interrupt_every: Annotated[
        int, typer.Option(min=0, metavar="K", help="Interrupt every K-th reply; 0 interrupts none.")
    ] = 2,
    short: Annotated[bool, typer.Option("--short", help="The form for CI: four questions in each call.")] = False,
    stt_ms: Annotated[float, typer.Option(min=0, metavar="MS", help="Delay of the instant STT's finals.")] = 0.0,
    llm_ms: Annotated[float, typer.Option(min=0, metavar="MS", help="Delay of the instant brain's first token.")] = 0.0,
    llm_token_ms: Annotated[float, typer.Option(min=0, metavar="MS", help="Time between two of its tokens.")] = 0.0,
    tts_ms: Annotated[float, typer.Option(min=0, metavar="MS", help="Delay of the instant TTS's first audio.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Of who says what and when.")] = 1,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
) -> None:
    """Make many calls at once and measure latency, barge-in, lateness and cost.

    Voice-to-voice latency is the time from the true end of the caller's speech to the first received frame of the
    reply above -45 dBFS; barge-in is the time from the first sample of the caller's interruption to `clear`.
    """
    from toolbox.bench.load import BenchError, LoadPlan, measure_load  # noqa: PLC0415 - help is instant
    from toolbox.bench.progress import turns_shown  # noqa: PLC0415
    from toolbox.bench.report import show_load  # noqa: PLC0415
    from toolbox.bench.setup import EngineDelays  # noqa: PLC0415
    from toolbox.output import print_json, result_console  # noqa: PLC0415
    from toolbox.serve import ServiceFailedError  # noqa: PLC0415

    plan = LoadPlan(
        calls=calls,
        turns=min(turns, 4) if short else turns,
        minutes=min(minutes, 1.0) if short else minutes,
        interrupt_every=interrupt_every,
        delays=EngineDelays(stt_ms, tts_ms, llm_ms, llm_token_ms),
        config=config,
        settings=tuple(settings or ()),
        seed=seed,
    )
    try:
        with turns_shown(plan.expected_turns) as on_turns:
            report = asyncio.run(measure_load(plan, on_turns))
    except (ServiceFailedError, BenchError) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from None
    if json:
        print_json(report)
    else:
        show_load(report, result_console())


@app.command(name="turn-taking")
def turn_taking(
    oracle_stt: Annotated[
        float | None,
        typer.Option(min=0, metavar="DELAY_MS", help="Hear by a recogniser that knows the truth and takes so long."),
    ] = None,
    pure: Annotated[bool, typer.Option("--pure", help="The engine alone, in virtual time.")] = False,
    short: Annotated[bool, typer.Option("--short", help="The form for CI: a small part of the corpus.")] = False,
    sweep: Annotated[bool, typer.Option("--sweep", help="Also run many settings, in virtual time.")] = False,
    tuning: Annotated[
        bool, typer.Option("--tuning", help="The half of the corpus that settings are chosen on, not reported on.")
    ] = False,
    parallel: Annotated[int, typer.Option(min=1, help="Calls at the same time, in real time.")] = 6,
    report: Annotated[Path | None, typer.Option(dir_okay=False, help="Write a page with all figures.")] = None,
    cache: Annotated[Path | None, typer.Option(file_okay=False, help="Where the corpus is kept between runs.")] = None,
    seed: Annotated[int, typer.Option(help="Of the corpus.")] = 1,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
) -> None:
    """Measure turn-taking: answers, cut-offs, interruptions, and what should not interrupt.

    A corpus of what callers do is made with the embedded voice and played to the whole house over the simulated line,
    in real time; and, many more cases, to the engine alone in virtual time. The brain takes 50 ms.
    """
    from servicekit.settings import SettingsError  # noqa: PLC0415 - help is instant
    from toolbox.bench.turn_taking import TurnTakingPlan, default_cache, measure_turn_taking, page  # noqa: PLC0415
    from toolbox.bench.turn_taking.showing import parts_shown, show_turn_taking  # noqa: PLC0415
    from toolbox.output import print_json, result_console  # noqa: PLC0415
    from toolbox.serve import ServiceFailedError  # noqa: PLC0415

    plan = TurnTakingPlan(
        oracle_ms=oracle_stt,
        pure=pure,
        short=short,
        sweep=sweep,
        tuning=tuning,
        parallel=parallel,
        seed=seed,
        config=config,
        settings=tuple(settings or ()),
        cache=cache or default_cache(),
    )
    try:
        with parts_shown() as say:
            figures = asyncio.run(measure_turn_taking(plan, say))
    except (ServiceFailedError, SettingsError) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from None
    if report is not None:
        report.write_text(page(figures), encoding="utf-8")
    if json:
        print_json(figures)
    else:
        show_turn_taking(figures, result_console())


@app.command()
def serve(
    calls: Annotated[int, typer.Option("-n", "--calls", min=1, help="Calls that must fit.")] = 50,
    stt_ms: Annotated[float, typer.Option(min=0, metavar="MS", help="Delay of the instant STT's finals.")] = 0.0,
    llm_ms: Annotated[float, typer.Option(min=0, metavar="MS", help="Delay of the instant brain's first token.")] = 0.0,
    llm_token_ms: Annotated[float, typer.Option(min=0, metavar="MS", help="Time between two of its tokens.")] = 0.0,
    tts_ms: Annotated[float, typer.Option(min=0, metavar="MS", help="Delay of the instant TTS's first audio.")] = 0.0,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
) -> None:
    """Keep the set-up of `bench load` running for a client of your own that speaks Twilio's protocol.

    Prints where to call, with which token to sign and which processes to watch; stays until interrupted.
    """
    from toolbox.bench.serving import serve_setup  # noqa: PLC0415
    from toolbox.bench.setup import EngineDelays  # noqa: PLC0415
    from toolbox.serve import ServiceFailedError  # noqa: PLC0415

    try:
        asyncio.run(
            serve_setup(
                calls=calls,
                delays=EngineDelays(stt_ms, tts_ms, llm_ms, llm_token_ms),
                config=config,
                settings=tuple(settings or ()),
                json=json,
            )
        )
    except ServiceFailedError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from None
