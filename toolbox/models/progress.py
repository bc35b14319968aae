"""How far a pull or a check is, on standard error: bars on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from toolbox.output import error_console

_PLAIN_EVERY = 0.1


@contextlib.contextmanager
def bytes_shown(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how many bytes of ``total`` (0 when unknown) are done; yields what to tell each piece's size to."""
    console = error_console()
    if not console.is_terminal:
        yield _plainly(what, total, console.print)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task(what, total=total or None)
        yield lambda size: progress.advance(task, size)


def _plainly(what: str, total: int, say: Callable[[str], None]) -> Callable[[int], None]:
    done = said = 0

    def show(size: int) -> None:
        nonlocal done, said
        done += size
        tenth = int(done / total / _PLAIN_EVERY) if total else done // (100 << 20)
        if tenth > said:
            said = tenth
            of = f" of {total / 1e6:.0f}" if total else ""
            say(f"{what}: {done / 1e6:.0f}{of} MB")

    return show
