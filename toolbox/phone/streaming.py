"""`<Connect><Stream>`: one stream from open to close, its callbacks, and the way on."""

from __future__ import annotations

import asyncio
from urllib.parse import urljoin

from toolbox.phone.call import Call
from toolbox.phone.exchange import Exchange
from toolbox.phone.steps import Step
from toolbox.phone.stream import MediaStream
from toolbox.phone.verbs import Connect


async def connect(exchange: Exchange, call: Call, verb: Connect, base: str) -> Step | None:
    """Stream until the server closes; the next step is the action, or None for the next verb."""
    stream = MediaStream(
        verb.stream,
        account_sid=exchange.account_sid,
        auth_token=exchange.auth_token,
        call_sid=call.sid,
        handset=call.handset,
        knobs=exchange.knobs,
        clock=exchange.clock,
        notify=call.notices.append,
        routes=exchange.routes,
        tls=exchange.tls,
    )
    call.streams.append(stream)

    def tell(event: str, error: str = "") -> None:
        if not verb.stream.status_callback:
            return
        parameters = {
            "AccountSid": exchange.account_sid,
            "CallSid": call.sid,
            "StreamSid": stream.sid,
            "StreamName": verb.stream.name or stream.sid,
            "StreamEvent": event,
            "Timestamp": exchange.wall().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        if error:
            parameters["StreamError"] = error
        url = urljoin(base, verb.stream.status_callback)
        exchange.run_beside(exchange.callback(call, url, verb.stream.status_callback_method, parameters))

    def started() -> None:
        tell("stream-started")
        call.touch()

    try:
        end = await stream.run(started)
    except asyncio.CancelledError:
        if stream.started.is_set():
            tell("stream-stopped")
        raise
    call.touch()
    tell("stream-error", str(end.error)) if end.error is not None else tell("stream-stopped")
    if exchange.knobs.fall_through_delay_s:
        await asyncio.sleep(exchange.knobs.fall_through_delay_s)
    if not verb.action:
        return None
    parameters = (("StreamSid", stream.sid),)
    return Step(urljoin(base, verb.action), verb.method, parameters=parameters)
