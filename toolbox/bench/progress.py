"""A progress bar on standard error, where it is a terminal; a few plain lines where it is not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from toolbox.output import error_console

_PLAIN_EVERY = 0.25


@contextlib.contextmanager
def turns_shown(expected: int, unit: str = "turns") -> Iterator[Callable[[int], None]]:
    """Show how many of the expected turns (or another unit) are done; yields what to tell the number to."""
    console = error_console()
    if not console.is_terminal:
        yield _plainly(expected, unit, console.print)
        return
    columns = (TextColumn(unit), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(unit, total=expected)

        def show(done: int) -> None:
            progress.update(task, completed=done, total=max(expected, done))

        yield show


def _plainly(expected: int, unit: str, say: Callable[[str], None]) -> Callable[[int], None]:
    said = 0

    def show(done: int) -> None:
        nonlocal said
        quarter = int(done / max(1, expected) / _PLAIN_EVERY)
        if quarter > said:
            said = quarter
            say(f"{done} of about {expected} {unit}")

    return show
