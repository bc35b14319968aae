"""Faults of the REST API, to be armed by tests: refused before, or worse, failed after the work was done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FaultKind = Literal["too_many_requests", "unavailable", "unavailable_after", "no_answer_after"]
"""429 with code 20429 and never processed; 503 and not processed; processed, then 503; processed, then silence."""


@dataclass(slots=True)
class _Armed:
    kind: FaultKind
    method: str
    path_ends: str
    times: int


class RestFaults:
    """Armed faults, taken in order."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []

    def arm(self, kind: FaultKind, *, method: str = "POST", path_ends: str = "/Calls.json", times: int = 1) -> None:
        """Let the next matching requests fail."""
        self._armed.append(_Armed(kind, method, path_ends, times))

    def take(self, method: str, path: str) -> FaultKind | None:
        """The fault of a request, if one is armed for it."""
        for armed in self._armed:
            if armed.method == method and path.endswith(armed.path_ends):
                armed.times -= 1
                if armed.times <= 0:
                    self._armed.remove(armed)
                return armed.kind
        return None
