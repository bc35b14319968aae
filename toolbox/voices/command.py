"""`parley voices`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from toolbox.voices import ListedVoice

T = TypeVar("T")

app = typer.Typer(add_completion=False)

Target = Annotated[
    str,
    typer.Option(
        "--target", metavar="HOST:PORT", help="A running speech service. Default: one is started for the question."
    ),
]
Tls = Annotated[bool, typer.Option("--tls", help="Speak TLS, checked against the system's roots.")]
Config = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="Settings of the service to start. Default: parley.toml here."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting of the service to start, such as tts.engine=piper."),
]
Language = Annotated[str, typer.Option(metavar="TAG", help="A language, such as de or en-GB (BCP 47).")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else there.")]


@app.callback(invoke_without_command=True)
def voices(
    context: typer.Context,
    language: Language = "",
    target: Target = "",
    tls: Tls = False,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
) -> None:
    """List the voices that can speak, with language, gender and engine; `say` lets one be heard.

    \b
      parley voices --language de
      parley voices --target 127.0.0.1:50053 --json
      parley voices say "It is noon." --voice en-us --out noon.wav

    The first voice of a language is the one that speaks it when none is named; * marks the default.
    """
    if context.invoked_subcommand is not None:
        return
    from toolbox.output import print_json, result_console  # noqa: PLC0415 - help is instant
    from toolbox.version import parley_version  # noqa: PLC0415
    from toolbox.voices import list_voices  # noqa: PLC0415

    async def ask(address: str) -> tuple[str, list[ListedVoice]]:
        return await list_voices(address, language, tls=tls)

    engine, found = _answered(ask, target, config, settings)
    if json:
        listed = [
            {
                "name": one.name,
                "display_name": one.display_name,
                "languages": list(one.languages),
                "gender": one.gender or None,
                "engine": one.engine,
                "default": one.is_default,
            }
            for one in found
        ]
        print_json({"parley": parley_version(), "target": target or None, "engine": engine, "voices": listed})
        return
    if not found:
        print(f"no voice of {engine} speaks {language!r}; tts.fallback can name an engine that does", file=sys.stderr)
        raise typer.Exit(1)
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False)
    for column in ("voice", "", "languages", "gender", "engine", "name"):
        table.add_column(column, no_wrap=column in {"voice", "engine"}, overflow="fold")
    for one in found:
        mark, tags = "*" if one.is_default else "", ", ".join(one.languages)
        table.add_row(escape(one.name), mark, tags, one.gender, one.engine, escape(one.display_name))
    result_console().print(table)


@app.command("say")
def say_something(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to say.")],
    voice: Annotated[str, typer.Option(help="The voice, as `parley voices` names it. Default: the language's.")] = "",
    language: Language = "",
    speed: Annotated[float, typer.Option(min=0.5, max=2.0, help="Rate of speech.")] = 1.0,
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write a WAV file here. Default: play it, if there is a player.")
    ] = None,
    target: Target = "",
    tls: Tls = False,
    config: Config = None,
    settings: Settings = None,
    json: Json = False,
) -> None:
    """Let a voice say something, and keep it as a WAV file or play it.

    \b
      parley voices say "It is noon." --voice en-us
      parley voices say "Guten Tag." --language de --out tag.wav --set tts.engine=piper
      parley voices say "Hello." --voice af_heart:0.7+af_bella:0.3 --target 127.0.0.1:50053
    """
    from toolbox.output import error_console, print_json  # noqa: PLC0415
    from toolbox.version import parley_version  # noqa: PLC0415
    from toolbox.voices import SpokenSample, find_player, play, say  # noqa: PLC0415
    from toolbox.voices.player import wav_of  # noqa: PLC0415

    player = find_player() if out is None else None
    if out is None and player is None:
        _fail("no player was found (pw-play, paplay, afplay, aplay, play or ffplay); name a file with --out", 2)

    async def ask(address: str) -> SpokenSample:
        return await say(address, text, voice=voice, language=language, speed=speed, tls=tls)

    sample = _answered(ask, target, config, settings)
    console = error_console()
    console.print(
        f"{sample.voice} ({sample.engine}): {sample.seconds:.2f} s, first sound after {sample.first_audio_ms:.0f} ms",
        soft_wrap=True,
        markup=False,
    )
    with TemporaryDirectory(prefix="parley-") if out is None else nullcontext("") as folder:
        path = out or Path(folder) / "sample.wav"
        try:
            path.write_bytes(wav_of(sample.pcm, sample.rate_hz))
        except OSError as error:
            _fail(f"{path}: {error.strerror}", 1)
        if player is not None and (complaint := play(player, path)):
            _fail(f"{complaint}; name a file with --out", 1)
    if json:
        print_json(
            {
                "parley": parley_version(),
                "target": target or None,
                "voice": sample.voice,
                "engine": sample.engine,
                "seconds": round(sample.seconds, 3),
                "first_audio_ms": round(sample.first_audio_ms, 1),
                "sample_rate_hz": sample.rate_hz,
                "wav": None if out is None else str(out),
                "played_with": None if player is None else Path(player[0]).name,
            }
        )


def _answered(
    ask: Callable[[str], Coroutine[Any, Any, T]], target: str, config: Path | None, settings: list[str] | None
) -> T:
    """Ask a service; one is started where none is named. Exits with the reason when it cannot be asked."""
    from toolbox.output import error_console  # noqa: PLC0415
    from toolbox.serve import ServiceFailedError  # noqa: PLC0415
    from toolbox.voices.asking import AskingError  # noqa: PLC0415
    from toolbox.voices.service import speech_service  # noqa: PLC0415

    if target and (config or settings):
        _fail("--config and --set are for a service that is started; with --target there is one already", 2)
    if not target and config is None and Path("parley.toml").is_file():
        config = Path("parley.toml")

    async def run() -> T:
        async with speech_service(target, config=config, settings=settings or ()) as address:
            return await ask(address)

    status = error_console().status("starting a speech service …") if not target else nullcontext()
    try:
        with status:
            return asyncio.run(run())
    except (AskingError, ServiceFailedError) as error:
        _fail(str(error), 1)


def _fail(message: str, status: int) -> NoReturn:
    print(message, file=sys.stderr)
    raise typer.Exit(status) from None
