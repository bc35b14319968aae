"""`<Dial>`: rings a subscriber and joins the two calls."""

from __future__ import annotations

import asyncio
from urllib.parse import urljoin

from toolbox.phone.call import Call
from toolbox.phone.call_record import CallbackPlan
from toolbox.phone.exchange import Exchange
from toolbox.phone.handset import Handset
from toolbox.phone.identifiers import is_e164
from toolbox.phone.lives import Leg, live_leg
from toolbox.phone.notices import DIAL_INVALID_NUMBER, Notice
from toolbox.phone.steps import Step
from toolbox.phone.verbs import Dial


class Bridge:
    """What one person says, the other hears."""

    def __init__(self, exchange: Exchange, to: Handset, leg: Leg, *, hangup_on_star: bool) -> None:
        self._exchange = exchange
        self._to = to
        self._leg = leg
        self._hangup_on_star = hangup_on_star

    def frame(self, audio: bytes, position: int) -> None:
        """Carry one frame over."""
        self._to.hear(audio, self._exchange.clock())

    def digit(self, digit: str) -> None:
        """`*` may end the joined call."""
        if digit == "*" and self._hangup_on_star:
            self._leg.call.hang_up()


async def dial(exchange: Exchange, call: Call, verb: Dial, base: str) -> Step | None:
    """Ring and join; the next step is the action, or None for the next verb."""
    if not is_e164(verb.number):
        call.notices.append(Notice(DIAL_INVALID_NUMBER, "not an international number"))
        return _action(verb, base, "failed", None)
    leg_call = exchange.new_call(
        from_=verb.caller_id or call.from_,
        to=verb.number,
        direction="outbound-dial",
        callbacks=CallbackPlan(
            urljoin(base, verb.status_callback) if verb.status_callback else "",
            verb.status_callback_method,
            verb.status_callback_events,
        ),
        begin=lambda _: None,
        parent_sid=call.sid,
    )
    call.legs.append(leg_call)
    leg = Leg(leg_call, exchange.subscribers.get(verb.number), verb.timeout_s, verb.time_limit_s)
    there = Bridge(exchange, leg_call.handset, leg, hangup_on_star=verb.hangup_on_star)
    back = Bridge(exchange, call.handset, leg, hangup_on_star=False)

    def joined() -> None:
        call.handset.attach(there)
        leg_call.handset.attach(back)

    life = asyncio.create_task(live_leg(exchange, leg, joined))
    try:
        await asyncio.shield(life)
    finally:
        call.handset.detach(there)
        leg_call.hang_up()
        await asyncio.gather(life, return_exceptions=True)
        call.handset.hush()
    return _action(verb, base, leg_call.status, leg_call)


def _action(verb: Dial, base: str, status: str, leg: Call | None) -> Step | None:
    if not verb.action:
        return None
    parameters = [("DialCallStatus", status)]
    if leg is not None:
        parameters += [("DialCallSid", leg.sid), ("DialCallDuration", str(leg.seconds))]
    return Step(urljoin(base, verb.action), verb.method, parameters=tuple(parameters))
