"""`parley version`."""

from __future__ import annotations

import importlib.metadata
import platform
from typing import Annotated

import typer

from toolbox.output import print_json

app = typer.Typer(add_completion=False)


def parley_version() -> str:
    """The installed version; "unknown" when Parley runs without being installed."""
    try:
        return importlib.metadata.version("parley")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


@app.command()
def version(json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Say which Parley this is, and on what it runs."""
    facts = {
        "parley": parley_version(),
        "python": platform.python_version(),
        "grpcio": importlib.metadata.version("grpcio"),
        "protobuf": importlib.metadata.version("protobuf"),
    }
    if json:
        print_json(facts)
    else:
        print(f"parley {facts['parley']} (Python {facts['python']}, grpcio {facts['grpcio']})")
