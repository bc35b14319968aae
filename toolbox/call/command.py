"""`parley call`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def call(
    url: Annotated[
        str, typer.Option(help="The voice webhook. Default: /voice/webhook on the settings' gateway.public_url.")
    ] = "",
    say: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="Say this in a synthetic voice. Repeatable, in order.")
    ] = None,
    wav: Annotated[
        list[Path] | None,
        typer.Option(exists=True, dir_okay=False, help="Play this recording after what is said. Repeatable."),
    ] = None,
    voice: Annotated[str, typer.Option(help="The synthetic voice, by eSpeak NG's name.")] = "en",
    interrupt_after: Annotated[
        float | None,
        typer.Option(min=0, metavar="SECONDS", help="Speak into each reply after so long instead of hearing it out."),
    ] = None,
    out: Annotated[
        Path, typer.Option(dir_okay=False, help="Where the call is written: the caller left, the agent right.")
    ] = Path("call.wav"),
    from_: Annotated[str, typer.Option("--from", help="The caller's number.")] = "+15005550009",
    to: Annotated[str, typer.Option(help="The number that is dialled.")] = "+15005550006",
    auth_token: Annotated[
        str,
        typer.Option(
            envvar="TWILIO_AUTH_TOKEN", show_envvar=True, help="Signs the webhooks. Default: the settings' own."
        ),
    ] = "",
    account_sid: Annotated[
        str, typer.Option(envvar="TWILIO_ACCOUNT_SID", show_envvar=True, help="Default: the settings' own.")
    ] = "",
    config: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="The gateway's settings file. Default: parley.toml here."),
    ] = None,
    patience: Annotated[
        float, typer.Option(min=1, metavar="SECONDS", help="How long to wait for an answer before giving up.")
    ] = 20.0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Call a running gateway from the telephone in a box, as Twilio would.

    Signs the webhook, opens the media stream, speaks, listens in real time and writes a two-channel WAV. Exits with 0
    when the call was answered and every sentence got a reply.
    """
    from toolbox.call.placing import CallPlan, Happening, place_call  # noqa: PLC0415 - help is instant
    from toolbox.call.sentences import recorded, spoken  # noqa: PLC0415
    from toolbox.call.target import Target, target_of  # noqa: PLC0415
    from toolbox.output import error_console, print_json, result_console  # noqa: PLC0415
    from toolbox.phone.wav import WavError  # noqa: PLC0415
    from toolbox.version import parley_version  # noqa: PLC0415

    try:
        target: Target = target_of(url, account_sid, auth_token, config)
        sentences = [spoken(text, voice) for text in say or ()] + [recorded(path) for path in wav or ()]
    except (LookupError, WavError) as error:
        print(error.args[0], file=sys.stderr)
        raise typer.Exit(2) from None
    console = error_console() if json else result_console()

    def show(happening: Happening) -> None:
        console.print(f"[dim]{happening.at_s:7.2f} s[/]  {happening.what}", soft_wrap=True)

    report = asyncio.run(
        place_call(
            CallPlan(
                webhook_url=target.webhook_url,
                account_sid=target.account_sid,
                auth_token=target.auth_token,
                from_=from_,
                to=to,
                sentences=tuple(sentences),
                interrupt_after_s=interrupt_after,
                patience_s=patience,
                wav=out,
            ),
            show,
        )
    )
    for notice in report.notices:
        console.print(f"[yellow]{notice}[/]", soft_wrap=True)
    if json:
        print_json(
            {
                "parley": parley_version(),
                "status": report.status,
                "seconds": report.seconds,
                "answered": report.answered,
                "said": report.said,
                "events": [{"at_s": one.at_s, "what": one.what} for one in report.happenings],
                "notices": report.notices,
                "wav": report.wav,
            }
        )
    elif report.wav:
        console.print(f"Both sides of the call: {report.wav}")
    raise typer.Exit(0 if report.succeeded else 1)
