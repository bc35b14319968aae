"""The `parley` command. Each subcommand's module is loaded when it is called, so that `parley --help` is instant."""

from __future__ import annotations

import importlib
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

# name: (module that holds `app`, a typer.Typer; one line for the overview).
_COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("toolbox.demo.command", "Play one call end to end on this machine: no account, no network, no download."),
    "serve": ("toolbox.serve.command", "Run the four services on this machine, supervised, with one log."),
    "call": ("toolbox.call.command", "Call a running gateway from the telephone in a box."),
    "bench": ("toolbox.bench.command", "Measure latency, barge-in and cost under load."),
    "conformance": ("toolbox.conformance.command", "Examine a speech server: does it keep its contract?"),
    "replay": ("toolbox.replay.command", "Replay recorded calls under other settings and draw them."),
    "models": ("toolbox.models.command", "Fetch and check the models of the real engines."),
    "voices": ("toolbox.voices.command", "List the voices that can speak, and let one be heard."),
    "version": ("toolbox.version", "Say which Parley this is."),
}


class LazyGroup(TyperGroup):
    """Knows its commands by name and summary, and loads one only to run it."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the order of the overview."""
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command; for the overview of all only its name and summary."""
        if cmd_name not in _COMMANDS:
            return None
        module, summary = _COMMANDS[cmd_name]
        if ctx.meta.get(_OVERVIEW):
            return TyperCommand(cmd_name, help=summary)
        command = typer.main.get_command(importlib.import_module(module).app)
        command.name = cmd_name
        return command

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the overview without loading what it lists."""
        ctx.meta[_OVERVIEW] = True
        super().format_help(ctx, formatter)


_OVERVIEW = "toolbox.cli.overview"

app = typer.Typer(
    name="parley",
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Reporting commands take --json: exactly one JSON object on standard output, all else on standard error.",
)


@app.callback()
def parley() -> None:
    """Talk by telephone or browser with the AI assistant you host yourself."""


def main() -> None:
    """Entry point of the `parley` command."""
    app()


if __name__ == "__main__":
    main()
