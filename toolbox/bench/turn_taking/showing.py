"""The report in a terminal, and progress while it is made."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from toolbox.bench.progress import turns_shown
from toolbox.bench.turn_taking.measuring import Say
from toolbox.bench.turn_taking.page import verdict
from toolbox.output import error_console


@contextlib.contextmanager
def parts_shown() -> Iterator[Say]:
    """Say on standard error which part of the work is under way, and how far it is."""
    console = error_console()
    with contextlib.ExitStack() as shown:

        def begin(what: str, steps: int) -> Callable[[int], None]:
            # One bar at a time: the part before is over when the next begins.
            shown.close()
            console.print(f"{steps} {what}")
            return shown.enter_context(turns_shown(steps, "steps"))

        yield begin


def show_turn_taking(report: Mapping[str, Any], console: Console) -> None:
    """Write the targets, and what was measured of each."""
    _show(f"{report['mode']}, speech to text: {report['stt']}", report["targets"], console)
    if "pure" in report:
        _show("the engine alone, in virtual time", report["pure"]["targets"], console)
    speculation = report["speculation"]
    console.print(
        f"speculation: hit {speculation['hit_pct']} %, wasted requests {speculation['wasted_llm_requests_pct']} %"
    )


def _show(title: str, rows: list[dict[str, Any]], console: Console) -> None:
    table = Table(title=title, title_justify="left")
    for heading, justify in (("", "left"), ("target", "right"), ("measured", "right"), ("", "left")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for row in rows:
        measured = "–" if row["measured"] is None else f"{row['measured']:g}"
        style = {True: "green", False: "red", None: "dim"}[row["met"]]
        table.add_row(row["target"], f"{row['bound']:g} {row['unit']}", measured, verdict(row), style=style)
    console.print(table)
