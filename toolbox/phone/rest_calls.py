"""What `calls.create` and `calls(sid).update` mean: their rules, errors and effects."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from toolbox.phone.call import Call
from toolbox.phone.call_record import CallbackPlan
from toolbox.phone.exchange import Exchange
from toolbox.phone.identifiers import is_e164
from toolbox.phone.lives import Leg
from toolbox.phone.steps import Order, Step
from toolbox.phone.telephony import MachineDetection, OutboundPlan, live_outbound

_MAX_TWIML = 4000
_EVENTS = ("initiated", "ringing", "answered", "completed")


class ApiError(Exception):
    """An error answer of the REST API."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def place_call(exchange: Exchange, form: Sequence[tuple[str, str]]) -> Call:
    """Place an outbound call; it is `queued` and goes on by itself.

    Raises:
        ApiError: A parameter is missing or wrong; no call was placed.
        BusyError: Too many live calls.
    """
    given = dict(form)
    to, from_ = given.get("To", ""), given.get("From", "")
    if not to:
        raise ApiError(400, 21201, "No 'To' number is specified")
    if not is_e164(to):
        raise ApiError(400, 21211, "The phone number you are attempting to call is not valid")
    if not from_:
        raise ApiError(400, 21213, "No 'From' number is specified")
    if from_ not in exchange.numbers:
        raise ApiError(400, 21210, "The source phone number provided is not yet verified for your account")
    plan = OutboundPlan(
        step=_step(given),
        ring_timeout_s=_whole(given, "Timeout", 60, 1, 600),
        time_limit_s=_whole(given, "TimeLimit", int(exchange.knobs.time_limit_s), 1, 86_400),
        machine_detection=_machine_detection(given),
        record=given.get("Record", "false").lower() == "true",
        record_channels=2 if given.get("RecordingChannels") == "dual" else 1,
    )
    events = tuple(value for name, value in form if name == "StatusCallbackEvent")
    if any(event not in _EVENTS for event in events):
        raise ApiError(400, 21626, "Invalid status callback event")
    call = exchange.new_call(
        from_=from_,
        to=to,
        direction="outbound-api",
        callbacks=CallbackPlan(
            given.get("StatusCallback", ""), given.get("StatusCallbackMethod", "POST"), events or ("completed",)
        ),
        begin=lambda _: None,
    )
    leg = Leg(call, exchange.subscribers.get(to), plan.ring_timeout_s, plan.time_limit_s)
    exchange.run_call(live_outbound(exchange, leg, plan))
    return call


async def update_call(call: Call, form: Sequence[tuple[str, str]]) -> None:
    """Redirect or end a live call.

    Raises:
        ApiError: 21220 when the call is not in the state for it.
    """
    given = dict(form)
    status = given.get("Status", "")
    if status:
        if status not in ("completed", "canceled"):
            raise ApiError(400, 21218, f"Invalid status {status[:40]!r}")
        if call.is_over or (status == "canceled" and call.handset.running):
            raise ApiError(400, 21220, "Call is not in-progress. Cannot redirect.")
        call.order(Order("end"))
        await _settled(call)
        return
    if not call.handset.running:
        raise ApiError(400, 21220, "Call is not in-progress. Cannot redirect.")
    call.order(Order("perform", _step(given)))


async def _settled(call: Call) -> None:
    """An ended call usually says so at once in the answer; it need not."""
    try:
        async with asyncio.timeout(1.0):
            await call.handset.changes.until(lambda: call.is_over)
    except TimeoutError:
        pass


def _step(given: dict[str, str]) -> Step:
    url, twiml = given.get("Url", ""), given.get("Twiml", "")
    if twiml:
        if len(twiml) > _MAX_TWIML:
            raise ApiError(400, 21240, f"Twiml must be at most {_MAX_TWIML} characters")
        return Step(twiml=twiml)
    if not url.startswith(("http://", "https://")):
        raise ApiError(400, 21205, "Url is not a valid URL")
    method = given.get("Method", "POST")
    return Step(url, method if method in ("GET", "POST") else "POST", fallback_url=given.get("FallbackUrl", ""))


def _machine_detection(given: dict[str, str]) -> MachineDetection:
    match given.get("MachineDetection", ""):
        case "":
            return ""
        case "Enable":
            return "Enable"
        case "DetectMessageEnd":
            return "DetectMessageEnd"
        case _:
            raise ApiError(400, 21229, "Invalid MachineDetection")


def _whole(given: dict[str, str], name: str, default: int, low: int, high: int) -> int:
    text = given.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 9 and low <= int(text) <= high):
        raise ApiError(400, 21216, f"{name} must be {low} to {high}")
    return int(text)
