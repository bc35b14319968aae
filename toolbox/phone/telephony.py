"""Calls that perform TwiML: the inbound call to a number of the account, and the outbound call of the REST API."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

from toolbox.phone.call import Call
from toolbox.phone.call_record import Status
from toolbox.phone.exchange import Exchange
from toolbox.phone.flow import Flow, RejectedError
from toolbox.phone.knobs import SAMPLE_RATE_HZ
from toolbox.phone.lives import Leg, Life, behave, given_up, next_order, ring
from toolbox.phone.prompts import Prompts
from toolbox.phone.steps import Step
from toolbox.phone.wav import mix

MachineDetection = Literal["", "Enable", "DetectMessageEnd"]


@dataclass(frozen=True, slots=True)
class OutboundPlan:
    """How `calls.create` wants its call."""

    step: Step
    ring_timeout_s: float
    time_limit_s: float
    machine_detection: MachineDetection = ""
    record: bool = False
    record_channels: int = 1


async def live_inbound(exchange: Exchange, call: Call, first: Step) -> None:
    """Somebody calls a number of the account."""
    life = Life(exchange, call)
    unanswered: Status = "canceled"
    try:
        life.reach("ringing")
        if not await given_up(call, exchange.knobs.ring_s):
            await _perform(life, first, exchange.knobs.time_limit_s)
    except RejectedError as rejection:
        unanswered = "busy" if rejection.reason == "busy" else "no-answer"
    except Exception as error:
        call.failure = error
    finally:
        life.end(unanswered)
        call.finish()


async def live_outbound(exchange: Exchange, leg: Leg, plan: OutboundPlan) -> None:
    """The REST API rings a subscriber and has them listen to TwiML."""
    call = leg.call
    life = Life(exchange, call)
    unanswered: Status | None = "canceled"
    person: asyncio.Task[None] | None = None
    try:
        life.reach("initiated")
        unanswered = await ring(life, leg)
        if unanswered is None:
            life.answer()
            person = asyncio.create_task(behave(life, leg.subscriber))
            await _detect(life, leg, plan)
            await _perform(life, plan.step, plan.time_limit_s)
    except Exception as error:
        call.failure = error
    finally:
        if person is not None:
            person.cancel()
            await asyncio.gather(person, return_exceptions=True)
        if plan.record and call.started is not None:
            _record(exchange, call, plan.record_channels)
        life.end(unanswered or "canceled")
        call.finish()


async def _detect(life: Life, leg: Leg, plan: OutboundPlan) -> None:
    """A machine speaks its greeting; detection tells who answered, at once or after the greeting's end."""
    subscriber = leg.subscriber
    assert subscriber is not None
    machine = subscriber.answers == "machine"
    greeting = leg.call.handset.microphone.queue(subscriber.greeting) if machine and subscriber.greeting else None
    if not plan.machine_detection:
        return
    if subscriber.answers == "fax":
        life.call.answered_by = "fax"
    elif not machine:
        life.call.answered_by = "human"
    elif plan.machine_detection == "Enable":
        life.call.answered_by = "machine_start"
    else:
        if greeting is not None:
            await greeting.finished()
        await Prompts(life.exchange, leg.call).beep()
        life.call.answered_by = "machine_end_beep"


async def _perform(life: Life, first: Step, time_limit_s: float) -> None:
    """Perform TwiML until it ends or an order changes the course."""
    call, clock = life.call, life.exchange.clock
    flow = Flow(life.exchange, call, life.answer)
    deadline = clock() + time_limit_s
    step: Step | None = first
    while step is not None:
        performing = asyncio.create_task(flow.follow(step))
        waiting = asyncio.create_task(next_order(call, max(0.0, deadline - clock())))
        try:
            await asyncio.wait({performing, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            performing.cancel()
            waiting.cancel()
            await asyncio.gather(performing, waiting, return_exceptions=True)
        if waiting.cancelled():
            performing.result()
            return
        order = waiting.result()
        if not performing.cancelled() and performing.exception() is not None:
            performing.result()
        step = order.step if order.kind == "perform" else None
        if step is None:
            life.end()
            await flow.after_hang_up()


def _record(exchange: Exchange, call: Call, channels: int) -> None:
    handset = call.handset
    start, end = handset.microphone.track.base, handset.microphone.position
    if end - start < SAMPLE_RATE_HZ // 10:
        return
    person, agent = handset.microphone.track.read(start, end), handset.heard.track.read(start, end)
    exchange.keep_recording(call, (person, agent) if channels == 2 else (mix(person, agent),), "OutboundAPI")
