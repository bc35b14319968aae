"""The calls this gateway knows: those that ring, those that talk, and for a while those that are over.

A call is known by the carrier's id for it, gets a random id of our own that every process, log and trace uses, and a
path for its resume that changes with each use. What the webhook answered is kept, so that a repeated request gets the
same answer and nothing new.
"""

from __future__ import annotations

import asyncio
import enum
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final

from opentelemetry.trace import Span

from servicekit.server import Lease, Slots

if TYPE_CHECKING:
    from gateway.call_session import CallSession

_REMEMBER_S: Final = 3_600.0
"""How long a call that is over is remembered, so that a replayed request finds its old answer."""
_MAX_REMEMBERED: Final = 20_000


class CarrierState(enum.IntEnum):
    """Where the carrier says the call stands. It only ever moves forward."""

    INITIATED = 0
    RINGING = 1
    ANSWERED = 2
    OVER = 3


class Next(enum.Enum):
    """What a call goes on with when its stream has ended."""

    RECONNECT = "the stream was lost: open another"
    HANG_UP = "the conversation is over"
    DIAL = "pass the call on"
    APOLOGISE = "something failed beyond help"


@dataclass(slots=True, eq=False)
class Call:
    """One call of the carrier's."""

    call_id: str
    carrier_call_id: str
    caller: str
    dialled: str
    began_at: float
    lease: Lease
    setup_span: Span
    state: CarrierState = CarrierState.INITIATED
    next: Next = Next.RECONNECT
    dial_number: str = ""
    session: CallSession | None = None
    resumes: int = 0
    resume_nonce: str = ""
    """The last part of the path that resumes this call next; empty before the webhook has answered."""
    over_at: float | None = None
    answers: dict[str, str] = field(default_factory=dict)
    """What was answered to the webhook (key: empty) and to each resume (key: its nonce)."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while an answer is made, so that a request repeated meanwhile waits for it."""

    @property
    def over(self) -> bool:
        """Whether nothing more can come of this call."""
        return self.over_at is not None

    def set_up(self) -> None:
        """The call's set-up is over, well or not. Harmless when it was before."""
        if self.setup_span.is_recording():
            self.setup_span.end()

    def advance(self, state: CarrierState) -> bool:
        """The carrier reports a state; False when it is not news."""
        if state <= self.state:
            return False
        self.state = state
        return True


class CallRegistry:
    """Every call this process knows, bounded."""

    def __init__(self, slots: Slots, *, clock: Callable[[], float]) -> None:
        """`slots` bounds the calls that ring or talk; `clock` is monotonic, in seconds."""
        self._slots = slots
        self._clock = clock
        self._by_carrier_id: dict[str, Call] = {}
        self._by_nonce: dict[str, Call] = {}

    def __iter__(self) -> Iterator[Call]:
        return iter(list(self._by_carrier_id.values()))

    @property
    def live(self) -> int:
        """Calls that ring or talk."""
        return self._slots.in_use

    def find(self, carrier_call_id: str) -> Call | None:
        """The call that the carrier names so."""
        return self._by_carrier_id.get(carrier_call_id)

    def find_by_nonce(self, nonce: str) -> Call | None:
        """The call that is, or was, to be resumed at this path."""
        return self._by_nonce.get(nonce)

    def admit(
        self, carrier_call_id: str, *, caller: str, dialled: str, setup_span: Callable[[str], Span]
    ) -> Call | None:
        """A new call, or None when there is no room. `setup_span` makes the span of its set-up from its call id."""
        self._forget_old()
        if len(self._by_carrier_id) >= _MAX_REMEMBERED:
            return None
        lease = self._slots.take()
        if lease is None:
            return None
        call_id = secrets.token_hex(12)
        call = Call(
            call_id=call_id,
            carrier_call_id=carrier_call_id,
            caller=caller,
            dialled=dialled,
            began_at=self._clock(),
            lease=lease,
            setup_span=setup_span(call_id),
        )
        self._by_carrier_id[carrier_call_id] = call
        return call

    def next_nonce(self, call: Call) -> str:
        """A new path for the call's next resume. Old ones find the call still, and their old answers."""
        call.resume_nonce = secrets.token_urlsafe(18)
        self._by_nonce[call.resume_nonce] = call
        return call.resume_nonce

    def end(self, call: Call) -> None:
        """Nothing more comes of this call: free its slot. Harmless when done before."""
        if call.over_at is None:
            call.over_at = self._clock()
            call.session = None
            call.lease.release()
            call.set_up()

    def unanswered(self, *, for_s: float) -> list[Call]:
        """Calls whose stream never came though the webhook was answered so long ago: phantoms, which hold a slot."""
        now = self._clock()
        return [
            call
            for call in self._by_carrier_id.values()
            if not call.over and call.session is None and now - call.began_at > for_s
        ]

    def awaits_last_request(self, *, for_s: float) -> bool:
        """Whether a carrier has yet to ask how a call goes on whose stream ended within the last `for_s`."""
        now = self._clock()
        return any(
            call.over_at is not None
            and now - call.over_at < for_s
            and call.state is not CarrierState.OVER
            and call.resume_nonce
            and call.resume_nonce not in call.answers
            for call in self._by_carrier_id.values()
        )

    def _forget_old(self) -> None:
        # Insertion order is close to the order in which calls end: look at the oldest few each time.
        now = self._clock()
        for call in list(islice(self._by_carrier_id.values(), 8)):
            if call.over_at is None or now - call.over_at < _REMEMBER_S:
                continue
            del self._by_carrier_id[call.carrier_call_id]
            for nonce in [*call.answers, call.resume_nonce]:
                self._by_nonce.pop(nonce, None)
