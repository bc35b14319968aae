"""One line on standard error for each case that is over."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.markup import escape

from toolbox.conformance.report import Result
from toolbox.output import error_console


@contextlib.contextmanager
def cases_shown(expected: int) -> Iterator[Callable[[Result], None]]:
    """Yields what to tell each result to."""
    console = error_console()
    done = 0

    def show(result: Result) -> None:
        nonlocal done
        done += 1
        if result.result != "skipped":  # why not is said at the end, and of a dead server's cases it is always the same
            console.print(f"[dim]{done}/{expected}[/] {escape(result.name)} {result.result} ({result.seconds:.1f} s)")

    yield show
