"""Running coroutine tests without a plugin: one event loop per test, nothing left behind."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

P = ParamSpec("P")


def async_test(function: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a coroutine test to its end on a fresh loop and fail if it leaves a task behind."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def scenario() -> None:
            await function(*args, **kwargs)
            left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task() and not task.done()]
            # A task that was cancelled in the test's last step gets one turn of the loop to end.
            if left:
                await asyncio.wait(left, timeout=1.0)
            orphans = [repr(task) for task in left if not task.done()]
            assert not orphans, f"tasks left behind: {orphans}"

        asyncio.run(scenario())

    return run
