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
    """Measure Parley from outside.

    `load`, `turn-taking` and `serve` call at the simulated telephone line: the gateway and the orchestrator are the
    real ones, and engines stand in that take no time, so that what is measured is Parley itself. `stt` measures the
    recogniser alone.
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
    classes: Annotated[
        list[str] | None,
        typer.Option("--class", metavar="CLASS", help="Play this class only, such as echo. Repeatable."),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="Keep what was seen of each case here, and event logs for `parley replay`."),
    ] = None,
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
    from toolbox.bench.turn_taking import (  # noqa: PLC0415
        TurnTakingPlan,
        default_cache,
        kinds_named,
        measure_turn_taking,
        page,
    )
    from toolbox.bench.turn_taking.showing import parts_shown, show_turn_taking  # noqa: PLC0415
    from toolbox.output import print_json, result_console  # noqa: PLC0415
    from toolbox.serve import ServiceFailedError  # noqa: PLC0415

    try:
        kinds = kinds_named(classes or ())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--class") from None
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
        kinds=kinds,
        cache=cache or default_cache(),
        # The services run in folders of their own.
        keep=keep.absolute() if keep is not None else None,
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


@app.command(name="clean-up")
def clean_up(
    short: Annotated[bool, typer.Option("--short", help="A small part of the cases, and two settings.")] = False,
    cache: Annotated[Path | None, typer.Option(file_okay=False, help="Where the corpus is kept between runs.")] = None,
    seed: Annotated[int, typer.Option(help="Of the corpus.")] = 1,
    json: Json = False,
) -> None:
    """Measure what cleaning the caller's sound is worth: noise suppression and level control, off and on.

    Noise, babble, answers and interruptions through the turn engine in virtual time; sentences amid a car, a kitchen
    and other people, through the embedded recogniser. See `[orchestrator.clean_up]`.
    """
    from servicekit.startup import StartupError  # noqa: PLC0415 - help is instant
    from toolbox.bench.clean_up import CleanUpPlan, measure_clean_up, show_clean_up  # noqa: PLC0415
    from toolbox.bench.turn_taking.showing import parts_shown  # noqa: PLC0415
    from toolbox.output import print_json, result_console  # noqa: PLC0415
    from toolbox.serve import ServiceFailedError  # noqa: PLC0415

    try:
        with parts_shown() as say:
            figures = asyncio.run(measure_clean_up(CleanUpPlan(short, seed, cache), say))
    except (ServiceFailedError, StartupError) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from None
    if json:
        print_json(figures)
    else:
        show_clean_up(figures, result_console())


@app.command()
def stt(
    models: Annotated[
        str,
        typer.Option(
            metavar="NAME,…",
            help="Dimensions to measure: tiny, base, small. Short: tiny alone. smallest is for trying the bench.",
        ),
    ] = "",
    streams: Annotated[int, typer.Option(min=1, help="Utterances at the same time.")] = 16,
    soak: Annotated[int, typer.Option(min=0, metavar="N", help="Watch memory over N more utterances.")] = 0,
    short: Annotated[bool, typer.Option("--short", help="The form for CI: fewer utterances.")] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="STT.KEY=VALUE", help="One setting of the service, over all. Repeatable."),
    ] = None,
    json: Json = False,
) -> None:
    """Measure the Whisper service on models of real size with random weights, beside the plain library.

    Utterances are four seconds of the embedded voice over the telephone, through the real contract and the real
    process: how long a final takes, how many a second with many streams, when partials come, what is left behind.
    Needs the extra `stt-whisper`.
    """
    from toolbox.bench.stt import SttBenchError, SttPlan  # noqa: PLC0415 - help is instant
    from toolbox.bench.stt.measuring import measure_stt  # noqa: PLC0415
    from toolbox.bench.stt.plan import MODELS, SHORT_MODELS  # noqa: PLC0415
    from toolbox.bench.stt.showing import show_stt  # noqa: PLC0415
    from toolbox.bench.turn_taking.showing import parts_shown  # noqa: PLC0415
    from toolbox.output import print_json, result_console  # noqa: PLC0415
    from toolbox.serve import ServiceFailedError  # noqa: PLC0415

    named = tuple(name.strip() for name in models.split(",") if name.strip())
    plan = SttPlan(
        models=named or (SHORT_MODELS if short else MODELS),
        streams=streams,
        short=short,
        soak=soak,
        settings=tuple(settings or ()),
    )
    try:
        with parts_shown() as say:
            report = asyncio.run(measure_stt(plan, say))
    except (ServiceFailedError, SttBenchError) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from None
    if json:
        print_json(report)
    else:
        show_stt(report, result_console())


@app.command()
def tts(
    short: Annotated[
        bool, typer.Option("--short", help="The form for CI: seconds for each engine, the smallest Kokoro.")
    ] = False,
    soak: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Segments spoken while memory and cache are watched.  [default: 10000]"),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="PART", help="espeak, cached, kokoro, round-trip or soak. Repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of who is answered what and when.")] = 1,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
) -> None:
    """Measure the voice: first audio, silence after a cancellation, cost, and whether it is understood.

    The real text-to-speech service as a process, over gRPC. Twenty callers are answered at random in real time by the
    embedded voice and from its cache; a burst of twenty at once is shown apart. Kokoro runs with random weights of
    its published size: they cost what real ones cost. Then the embedded recogniser hears what the voice says, and ten
    thousand segments are spoken while memory and cache are watched. All of it takes some ten minutes on two cores.
    """
    import grpc.aio  # noqa: PLC0415 - help is instant

    from toolbox.bench.tts import PARTS, TtsPlan, measure_tts  # noqa: PLC0415
    from toolbox.bench.tts.showing import show_tts  # noqa: PLC0415
    from toolbox.bench.turn_taking.showing import parts_shown  # noqa: PLC0415
    from toolbox.output import print_json, result_console  # noqa: PLC0415
    from toolbox.serve import ServiceFailedError  # noqa: PLC0415

    if unknown := sorted(set(only or ()) - set(PARTS)):
        raise typer.BadParameter(f"there is no part {unknown[0]!r}: there are {', '.join(PARTS)}", param_hint="--only")
    plan = TtsPlan(
        short=short,
        soak=soak,
        parts=tuple(part for part in PARTS if not only or part in only),
        seed=seed,
        config=config,
        settings=tuple(settings or ()),
    )
    try:
        with parts_shown() as say:
            report = asyncio.run(measure_tts(plan, say))
    except ServiceFailedError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from None
    except grpc.aio.AioRpcError as error:
        print(f"the voice failed with {error.code().name}: {error.details()}", file=sys.stderr)
        raise typer.Exit(1) from None
    if json:
        print_json(report)
    else:
        show_tts(report, result_console())


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
