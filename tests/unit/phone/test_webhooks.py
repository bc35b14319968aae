"""The voice webhook is asked as Twilio asks it, and every way of failing has its code."""

from __future__ import annotations

import asyncio

import pytest
from starlette.responses import Response

from tests.asyncs import async_test
from tests.fakes.phone_gateway import CALLER, OUR_NUMBER, TOKEN, FakeGateway, FakeRequest
from tests.unit.phone.world import loud, world
from toolbox.phone import BusyError, Call, CallEndedError, Knobs, SimulatedTwilio, sign
from toolbox.phone.wav import mulaw_to_wav

HANGUP = "<Response><Hangup/></Response>"


@async_test
async def test_the_first_webhook_is_signed_and_complete() -> None:
    async with world(voice=HANGUP) as w:
        async with w.phone.call(
            to=OUR_NUMBER, from_=CALLER, forwarded_from="+15005550003", caller_name="ALICE"
        ) as call:
            assert await call.wait_ended() == "completed"
        (request,) = w.gateway.requests_to("/voice")
        status = await w.gateway.request_to("/status")
    assert request.signed
    assert request.method == "POST"
    assert request.headers["content-type"].startswith("application/x-www-form-urlencoded")
    assert request.headers["user-agent"] == "TwilioProxy/1.1"
    assert request.headers["i-twilio-idempotency-token"]
    expected = {
        "AccountSid": w.phone.account_sid,
        "ApiVersion": "2010-04-01",
        "CallSid": call.sid,
        "CallStatus": "ringing",
        "Direction": "inbound",
        "From": CALLER,
        "To": OUR_NUMBER,
        "Caller": CALLER,
        "Called": OUR_NUMBER,
        "ForwardedFrom": "+15005550003",
        "CallerName": "ALICE",
        "StirVerstat": "TN-Validation-Passed-A",
        "FromCity": "",
    }
    assert request.form.items() >= expected.items()
    assert status.signed
    assert status.form["CallStatus"] == "completed"
    assert status.form["CallbackSource"] == "call-progress-events"
    assert int(status.form["CallDuration"]) >= 1


@async_test
async def test_a_get_webhook_carries_its_parameters_in_the_query() -> None:
    async with world() as w:
        w.gateway.replies["/get"] = HANGUP
        w.phone.add_number("+15005550002", w.gateway.base + "/get?tenant=7", voice_method="GET")
        async with w.phone.call(to="+15005550002", from_=CALLER) as call:
            await call.wait_ended()
        (request,) = w.gateway.requests_to("/get")
    assert request.method == "GET"
    assert request.signed


@pytest.mark.parametrize(("reason", "status"), [("busy", "busy"), ("rejected", "no-answer")])
def test_a_rejected_call_is_never_answered(reason: str, status: str) -> None:
    async def scenario() -> None:
        async with world(voice=f'<Response><Reject reason="{reason}"/></Response>') as w:
            async with w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
                with pytest.raises(CallEndedError, match=status):
                    await call.answered()
            assert call.started is None
            assert (await w.gateway.request_to("/status")).form["CallStatus"] == status

    asyncio.run(scenario())


async def _codes(voice: str | Response, knobs: Knobs | None = None) -> tuple[Call, list[int]]:
    async with world(knobs=knobs) as w:
        w.gateway.replies["/voice"] = voice
        async with w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
            assert await call.wait_ended() == "completed"
        return call, [notice.code for notice in call.notices]


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Response("down", 503), 11200),
        (Response("", 301, {"Location": "/elsewhere"}), 11200),
        (Response("{}", media_type="application/json"), 12300),
        (Response("<Response>", media_type="text/xml"), 12100),
        (Response("<Response>" + " " * 70_000 + "</Response>", media_type="text/xml"), 11750),
    ],
    ids=["503", "redirect", "JSON", "broken XML", "too large"],
)
def test_an_unusable_answer_ends_the_call_with_its_code(reply: Response, code: int) -> None:
    async def scenario() -> None:
        call, codes = await _codes(reply)
        assert codes == [code]
        assert [verb.name for verb in call.verbs] == ["application-error"]

    asyncio.run(scenario())


@async_test
async def test_a_webhook_that_hangs_is_11205() -> None:
    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, world(knobs=Knobs(webhook_timeout_s=0.05)) as w:
        w.phone.add_number("+15005550002", f"http://127.0.0.1:{port}/")
        async with w.phone.call(to="+15005550002", from_=CALLER) as call:
            await call.wait_ended()
    assert [notice.code for notice in call.notices] == [11205]


@async_test
async def test_a_gateway_that_is_not_there_is_11210() -> None:
    async with world() as w:
        w.phone.add_number("+15005550002", "http://127.0.0.1:9/")
        async with w.phone.call(to="+15005550002", from_=CALLER) as call:
            await call.wait_ended()
    assert [notice.code for notice in call.notices] == [11210]


@async_test
async def test_the_fallback_url_hears_what_went_wrong() -> None:
    async with world() as w:
        w.gateway.replies["/fallback"] = "<Response><Say>Sorry.</Say></Response>"
        w.phone.add_number("+15005550002", w.gateway.base + "/gone", voice_fallback_url=w.gateway.base + "/fallback")
        async with w.phone.call(to="+15005550002", from_=CALLER) as call:
            await call.wait_ended()
        (request,) = w.gateway.requests_to("/fallback")
    assert request.form["ErrorCode"] == "11200"
    assert [(verb.name, verb.detail) for verb in call.verbs] == [("Say", "Sorry.")]


@async_test
async def test_endless_redirects_end() -> None:
    call, codes = await _codes("<Response><Redirect/></Response>", Knobs(max_steps=5))
    assert codes == [11200]
    assert len(call.webhooks) >= 5


@async_test
async def test_schema_warnings_do_not_stop_the_call() -> None:
    call, codes = await _codes("<Response><Shout/><Say>still here</Say></Response>")
    assert codes == [12200]
    assert [verb.detail for verb in call.verbs] == ["still here"]


@async_test
async def test_a_webhook_can_be_replayed_byte_for_byte() -> None:
    async with world(voice=HANGUP) as w:
        async with w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
            await call.wait_ended()
            await w.phone.send_again(call, call.webhooks[0].request)
        first, again = w.gateway.requests_to("/voice")
    assert again == first
    assert again.signed


@async_test
async def test_a_caller_may_hang_up_while_it_rings() -> None:
    asked = asyncio.Event()

    def ask(request: FakeRequest) -> str:
        asked.set()
        return HANGUP

    async with world(knobs=Knobs(ring_s=60.0)) as w:
        w.gateway.replies["/voice"] = ask
        async with w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
            pass
    assert not asked.is_set()
    assert call.status == "canceled"
    assert call.started is None


@async_test
async def test_live_calls_are_bounded() -> None:
    async with world(knobs=Knobs(max_calls=1)) as w, w.phone.call(to=OUR_NUMBER, from_=CALLER):
        with pytest.raises(BusyError):
            w.phone.call(to=OUR_NUMBER, from_=CALLER)


@async_test
async def test_an_unknown_number_is_said_so() -> None:
    async with world() as w:
        with pytest.raises(LookupError, match="add_number"):
            w.phone.call(to="+15005559999", from_=CALLER)


@async_test
async def test_leaving_the_telephone_hangs_up_everything() -> None:
    async with world() as w:
        call = await w.phone.call(to=OUR_NUMBER, from_=CALLER).__aenter__()
        await call.connected()
    assert call.status == "completed"
    assert w.gateway.streams[0].messages[-1]["event"] == "stop"


@async_test
async def test_a_public_address_may_be_served_by_a_local_one() -> None:
    async with FakeGateway() as gateway:
        gateway.replies["/voice"] = (
            '<Response><Connect><Stream url="wss://voice.example/voice/stream"/></Connect></Response>'
        )
        public = "https://voice.example"
        async with SimulatedTwilio(
            auth_token=TOKEN, routes={public: gateway.base}, knobs=Knobs(allow_plain_ws=False), rest_port=None
        ) as phone:
            phone.add_number(OUR_NUMBER, public + "/voice")
            async with phone.call(to=OUR_NUMBER, from_=CALLER) as call:
                await call.connected()
        (request,), (stream,) = gateway.requests, gateway.streams
    assert request.headers["host"] == "voice.example"
    assert request.headers["x-twilio-signature"] == sign(TOKEN, public + "/voice", request.form)
    headers = dict(stream.headers)
    assert headers["host"] == "voice.example"
    assert headers["x-twilio-signature"] == sign(TOKEN, "wss://voice.example/voice/stream")


@async_test
async def test_old_calls_lose_their_audio_then_their_record() -> None:
    voice = "<Response><Play>/hello.wav</Play></Response>"
    async with world(voice=voice, knobs=Knobs(kept_calls=2, kept_call_audio=1)) as w:
        w.gateway.replies["/hello.wav"] = Response(mulaw_to_wav(loud(0.05)), media_type="audio/wav")
        calls = list[Call]()
        for _ in range(4):
            async with w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
                await call.wait_ended()
            calls.append(call)
    assert [call in w.phone.calls for call in calls] == [False, True, True, True]
    assert [len(call.heard.track) > 0 for call in calls] == [False, False, True, True]
