"""How long to wait before a process that ended is started again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RestartPolicy:
    """Exponential backoff that forgets after a stable run. Times in seconds."""

    first_s: float = 0.2
    factor: float = 2.0
    longest_s: float = 15.0
    stable_after_s: float = 30.0


class Backoff:
    """The waits of one process, by a policy."""

    def __init__(self, policy: RestartPolicy) -> None:
        self._policy = policy
        self._next_s = policy.first_s

    def after_run(self, lived_s: float) -> float:
        """How long to wait after a run that lived so long, in seconds."""
        if lived_s >= self._policy.stable_after_s:
            self._next_s = self._policy.first_s
        wait, self._next_s = self._next_s, min(self._next_s * self._policy.factor, self._policy.longest_s)
        return wait
