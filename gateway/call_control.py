"""Orders about the call itself: what is allowed, and when it is time. Sans-IO; policy is here, never in a prompt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from parley.conversation.v1 import conversation_pb2 as conv

_NEVER_COMES_S: Final = 5.0
"""An order that waits for a playout which never comes is carried out after so long a silence."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call."""

    order_id: int
    after_playout_id: int
    reason: conv.EndReason.ValueType


@dataclass(frozen=True, slots=True)
class Transfer:
    """Pass the call to this number."""

    order_id: int
    after_playout_id: int
    number: str


Order: TypeAlias = HangUp | Transfer


class CallControl:
    """Takes a call's orders, answers those that cannot be, and holds the newest of the others until its time."""

    def __init__(self, *, targets: Mapping[str, str]) -> None:
        """`targets`: to whom a call may be passed, by name in lower case."""
        self._targets = targets
        self._pending: Order | None = None
        self._silent_since: float | None = None
        self._highest_id = 0

    @property
    def pending(self) -> bool:
        """Whether an order waits for its time."""
        return self._pending is not None

    def receive(self, control: conv.CallControl) -> list[conv.CallControlResult]:
        """Take an order; the results that are known at once."""
        if control.id <= self._highest_id:
            return []  # repeated after a hand-over: answered, or pending still
        self._highest_id = control.id
        action = control.WhichOneof("action")
        if action == "hang_up":
            return self._hold(HangUp(control.id, control.after_playout_id, control.hang_up.reason))
        if action == "transfer":
            number = self._targets.get(control.transfer.target.strip().casefold())
            if number is None:
                return [_result(control.id, conv.CONTROL_STATUS_REFUSED, "not one of the configured transfer targets")]
            return self._hold(Transfer(control.id, control.after_playout_id, number))
        return [_result(control.id, conv.CONTROL_STATUS_REFUSED, f"this line cannot {action or 'do that'}")]

    def due(self, *, is_over: Callable[[int], bool], silent: bool, now: float) -> Order | None:
        """The order whose time has come, once: its playout was heard to the end or cleared.

        Args:
            is_over: whether a playout was heard to its end or cleared.
            silent: whether nothing is playing or waiting to be played.
            now: seconds of a monotonic clock.
        """
        order = self._pending
        if order is None:
            return None
        if order.after_playout_id and not is_over(order.after_playout_id):
            if not silent:
                self._silent_since = None
                return None
            if self._silent_since is None:
                self._silent_since = now
            if now - self._silent_since < _NEVER_COMES_S:
                return None
        self._pending = None
        return order

    def _hold(self, order: Order) -> list[conv.CallControlResult]:
        overtaken = self._pending
        self._pending = order
        self._silent_since = None
        if overtaken is None:
            return []
        return [_result(overtaken.order_id, conv.CONTROL_STATUS_CANCELLED, "overtaken by another order")]


def done(order: Order) -> conv.CallControlResult:
    """The result of an order that was carried out."""
    return _result(order.order_id, conv.CONTROL_STATUS_DONE, "")


def _result(order_id: int, status: conv.ControlStatus.ValueType, detail: str) -> conv.CallControlResult:
    return conv.CallControlResult(id=order_id, status=status, detail=detail)
