"""Workers and a model that judge when, and as, a test says."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import numpy as np
from numpy.typing import NDArray


class FakeWorkers(Executor):
    """An executor whose work is done by the test, one piece at a time, in the order it was submitted."""

    def __init__(self) -> None:
        self._work: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self.shut_down = False

    @property
    def busy(self) -> int:
        """Pieces of work submitted and not done."""
        return len(self._work)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Take a piece of work."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        self._work.append((future, lambda: fn(*args, **kwargs)))
        return future

    def work(self) -> None:
        """Do the oldest piece of work."""
        future, piece = self._work.popleft()
        try:
            future.set_result(piece())
        except Exception as error:
            future.set_exception(error)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Remember that the owner is done with it."""
        self.shut_down = True


class FakeEndOfTurnModel:
    """Holds a turn to be over with the probability that the last sample says; NaN makes it fail."""

    def __init__(self) -> None:
        self.heard: list[NDArray[np.float32]] = []

    def probability(self, samples: NDArray[np.float32]) -> float:
        """The last sample."""
        self.heard.append(samples)
        last = float(samples[-1])
        if np.isnan(last):
            raise RuntimeError("this model is broken")
        return last
