"""The lives of calls: inbound to the gateway, outbound by the REST API, the dialled leg of another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from toolbox.phone.call import Call
from toolbox.phone.call_record import Status
from toolbox.phone.callbacks import StatusReporter
from toolbox.phone.exchange import Exchange
from toolbox.phone.numbers import Subscriber
from toolbox.phone.steps import Order


@dataclass(frozen=True, slots=True)
class Leg:
    """A call to a subscriber (None: the number does not exist)."""

    call: Call
    subscriber: Subscriber | None
    ring_timeout_s: float
    time_limit_s: float


class Life:
    """The bookkeeping every call shares: its status, its callbacks, its clock, its end."""

    def __init__(self, exchange: Exchange, call: Call) -> None:
        self.exchange = exchange
        self.call = call
        self._reporter = StatusReporter(
            call,
            post=lambda url, method, parameters: exchange.callback(call, url, method, parameters),
            parameters=exchange.parameters_of,
            wall=exchange.wall,
            knobs=exchange.knobs,
        )
        self._answered_at = 0.0
        exchange.run_beside(self._reporter.deliver())

    def reach(self, status: Status) -> None:
        """The call has a new status."""
        self.call.updated = self.exchange.wall()
        self.call.touch(status)
        self._reporter.report(status)

    def answer(self) -> None:
        """The call is answered: audio flows (a no-op after the first time)."""
        if self.call.handset.running or self.call.is_over:
            return
        self.call.started = self.exchange.wall()
        self._answered_at = self.exchange.clock()
        self.call.handset.start()
        self.reach("in-progress")

    def end(self, unanswered: Status = "canceled") -> None:
        """The call is over; an answered one is `completed`."""
        call = self.call
        if call.is_over:
            return
        answered = call.started is not None
        call.ended = self.exchange.wall()
        if answered:
            call.seconds = max(1, round(self.exchange.clock() - self._answered_at))
        call.handset.stop()
        self.reach("completed" if answered else unanswered)


async def ring(life: Life, leg: Leg) -> Status | None:
    """Ring a subscriber until they answer (None) or the attempt is over (its final status)."""
    subscriber = leg.subscriber
    if subscriber is None or subscriber.answers == "failed":
        return "failed"
    life.reach("ringing")
    subscriber.ring(leg.call)
    rings = leg.ring_timeout_s if subscriber.answers == "no-answer" else subscriber.rings_s
    if await given_up(leg.call, min(rings, leg.ring_timeout_s)):
        return "canceled"
    if subscriber.answers == "busy":
        return "busy"
    return "no-answer" if rings >= leg.ring_timeout_s else None


async def given_up(call: Call, ringing_s: float) -> bool:
    """Let it ring so long; whether somebody gave up meanwhile."""
    try:
        async with asyncio.timeout(ringing_s):
            await call.next_order()
    except TimeoutError:
        return False
    return True


async def behave(life: Life, subscriber: Subscriber | None) -> None:
    """What the person does after answering; an error of theirs is the call's failure and ends it."""
    if subscriber is None or subscriber.on_answer is None:
        return
    try:
        await subscriber.on_answer(life.call)
    except Exception as error:
        life.call.failure = error
        life.call.hang_up()


async def live_leg(exchange: Exchange, leg: Leg, joined: Callable[[], None]) -> None:
    """The life of a dialled leg: rings, talks until either side hangs up."""
    life = Life(exchange, leg.call)
    unanswered: Status | None = "canceled"
    person: asyncio.Task[None] | None = None
    try:
        life.reach("initiated")
        unanswered = await ring(life, leg)
        if unanswered is None:
            life.answer()
            joined()
            person = asyncio.create_task(behave(life, leg.subscriber))
            await next_order(leg.call, leg.time_limit_s)
    finally:
        if person is not None:
            person.cancel()
            await asyncio.gather(person, return_exceptions=True)
        life.end(unanswered or "canceled")
        leg.call.finish()


async def next_order(call: Call, timeout_s: float) -> Order:
    """The next order, or a hang-up after the time limit."""
    try:
        async with asyncio.timeout(timeout_s):
            return await call.next_order()
    except TimeoutError:
        return Order("end")
