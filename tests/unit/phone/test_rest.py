"""The REST API serves the unmodified SDK, sync and async."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

from tests.asyncs import async_test
from tests.fakes.phone_gateway import CALLER, OUR_NUMBER, TOKEN
from tests.unit.phone.world import World, loud, world
from toolbox.phone import Call, Knobs, SimulatedTwilio

FRIEND = "+15005550009"
PAUSE = '<Response><Pause length="60"/></Response>'


def _client(phone: SimulatedTwilio) -> Client:
    client = Client(phone.account_sid, phone.auth_token)
    client.api.base_url = phone.api_base
    return client


@contextlib.asynccontextmanager
async def _async_client(phone: SimulatedTwilio) -> AsyncIterator[Client]:
    http = AsyncTwilioHttpClient()
    try:
        client = Client(phone.account_sid, phone.auth_token, http_client=http)
        client.api.base_url = phone.api_base
        yield client
    finally:
        await http.close()


async def _placed(w: World, client: Client, **options: object) -> Call:
    options.setdefault("twiml", PAUSE)
    placed = await client.calls.create_async(to=FRIEND, from_=OUR_NUMBER, **options)
    assert placed.sid is not None
    return w.phone.find_call(placed.sid)


@async_test
async def test_the_sync_client_places_fetches_and_ends_a_call() -> None:
    async with world(rest=True) as w:
        friend = w.phone.add_subscriber(FRIEND)
        client = _client(w.phone)
        placed = await asyncio.to_thread(client.calls.create, to=FRIEND, from_=OUR_NUMBER, twiml=PAUSE)
        assert placed.status == "queued"
        assert placed.direction == "outbound-api"
        call = await friend.next_call()
        await call.answered()
        fetched = await asyncio.to_thread(client.calls(str(placed.sid)).fetch)
        assert (fetched.status, fetched.to, fetched.answered_by) == ("in-progress", FRIEND, None)
        ended = await asyncio.to_thread(client.calls(str(placed.sid)).update, status="completed")
        assert ended.status == "completed"
        assert await call.wait_ended() == "completed"
        fetched = await asyncio.to_thread(client.calls(str(placed.sid)).fetch)
        assert fetched.duration == "1"
        assert isinstance(fetched.end_time, datetime)


@async_test
async def test_an_outbound_call_asks_its_url_with_every_callback() -> None:
    async with world(rest=True, voice="<Response><Say>Hello</Say></Response>") as w, _async_client(w.phone) as client:
        w.phone.add_subscriber(FRIEND)
        call = await _placed(
            w,
            client,
            twiml=None,
            url=w.gateway.base + "/voice",
            status_callback=w.gateway.base + "/progress",
            status_callback_event=["initiated", "ringing", "answered", "completed"],
        )
        w.gateway.replies["/progress"] = ""
        await call.wait_ended()
        await w.gateway.request_to("/progress", 4)
        (webhook,) = w.gateway.requests_to("/voice")
        progress = w.gateway.requests_to("/progress")
    assert webhook.form["Direction"] == "outbound-api"
    assert webhook.form["CallStatus"] == "in-progress"
    assert all(request.signed for request in progress)
    assert [request.form["CallStatus"] for request in progress] == [
        "initiated",
        "ringing",
        "in-progress",
        "completed",
    ]
    assert [request.form["SequenceNumber"] for request in progress] == ["0", "1", "2", "3"]


@async_test
async def test_callbacks_may_repeat_and_come_out_of_order() -> None:
    knobs = Knobs(status_callback_copies=2, status_callback_shuffle=True)
    async with world(rest=True, knobs=knobs) as w, _async_client(w.phone) as client:
        w.phone.add_subscriber(FRIEND)
        w.gateway.replies["/progress"] = ""
        call = await _placed(
            w,
            client,
            twiml="<Response/>",
            status_callback=w.gateway.base + "/progress",
            status_callback_event=["initiated", "ringing", "answered", "completed"],
        )
        await call.wait_ended()
        await w.gateway.request_to("/progress", 8)
        told = [request.form["CallStatus"] for request in w.gateway.requests_to("/progress")]
    assert told == [s for s in ("ringing", "initiated", "completed", "in-progress") for _ in range(2)]


@pytest.mark.parametrize("answers", ["busy", "no-answer", "failed"])
def test_people_who_do_not_answer(answers: str) -> None:
    async def scenario() -> None:
        async with world(rest=True) as w, _async_client(w.phone) as client:
            w.phone.add_subscriber(FRIEND, answers)  # type: ignore[arg-type]
            call = await _placed(w, client, timeout=1)
            assert await call.wait_ended() == answers
            assert (await client.calls(call.sid).fetch_async()).start_time is None

    asyncio.run(scenario())


@async_test
async def test_a_number_nobody_has_fails() -> None:
    async with world(rest=True) as w, _async_client(w.phone) as client:
        assert await (await _placed(w, client)).wait_ended() == "failed"


@pytest.mark.parametrize(
    ("answers", "detection", "answered_by"),
    [
        ("human", "Enable", "human"),
        ("machine", "Enable", "machine_start"),
        ("machine", "DetectMessageEnd", "machine_end_beep"),
        ("fax", "Enable", "fax"),
    ],
)
def test_machine_detection(answers: str, detection: str, answered_by: str) -> None:
    async def scenario() -> None:
        async with world(rest=True, voice="<Response/>") as w, _async_client(w.phone) as client:
            w.phone.add_subscriber(FRIEND, answers, greeting=loud(0.2))  # type: ignore[arg-type]
            call = await _placed(w, client, twiml=None, url=w.gateway.base + "/voice", machine_detection=detection)
            await call.wait_ended()
            (webhook,) = w.gateway.requests_to("/voice")
            assert webhook.form["AnsweredBy"] == answered_by
            assert (await client.calls(call.sid).fetch_async()).answered_by == answered_by

    asyncio.run(scenario())


@async_test
async def test_a_live_call_can_be_given_other_twiml() -> None:
    async with world(rest=True) as w, _async_client(w.phone) as client:
        async with w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
            await call.connected()
            await client.calls(call.sid).update_async(twiml="<Response><Say>Moved</Say></Response>")
            await call.wait_ended()
        assert [verb.name for verb in call.verbs] == ["Connect", "Say"]
        assert w.gateway.streams[0].messages[-1]["event"] == "stop"
        async with w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
            await call.connected()
            w.gateway.replies["/other"] = "<Response><Hangup/></Response>"
            await client.calls(call.sid).update_async(url=w.gateway.base + "/other")
            await call.wait_ended()
        assert [verb.name for verb in call.verbs] == ["Connect", "Hangup"]


@async_test
async def test_an_ended_call_cannot_be_changed() -> None:
    async with world(rest=True, voice="<Response/>") as w, _async_client(w.phone) as client:
        async with w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
            await call.wait_ended()
        with pytest.raises(TwilioRestException) as refusal:
            await client.calls(call.sid).update_async(status="completed")
    assert refusal.value.code == 21220


@async_test
async def test_calls_are_listed_by_filter_and_page_after_page() -> None:
    async with world(rest=True, voice="<Response/>") as w, _async_client(w.phone) as client:
        for n in range(7):
            async with w.phone.call(to=OUR_NUMBER, from_=f"+1500555010{n}") as call:
                await call.wait_ended()
        every = await client.calls.list_async(page_size=3)
        assert [one._from for one in every] == [f"+1500555010{n}" for n in reversed(range(7))]
        assert [one.sid for one in await client.calls.list_async(from_="+15005550104")] == [w.phone.calls[4].sid]
        assert await client.calls.list_async(status="busy") == []
        assert len(await client.calls.list_async(status="completed", to=OUR_NUMBER, limit=5)) == 5
        hour = timedelta(hours=1)
        now = datetime.now(UTC)
        assert len(await client.calls.list_async(start_time_after=now - hour)) == 7
        assert await client.calls.list_async(start_time_after=now + hour) == []
        assert await client.calls.list_async(start_time_before=now - hour) == []
        assert len(await client.calls.list_async(start_time_before=now + hour)) == 7


@async_test
async def test_a_recording_is_not_there_at_once_and_then_it_is() -> None:
    voice = '<Response><Record action="/recorded" playBeep="false"/></Response>'
    async with world(rest=True, voice=voice, knobs=Knobs(recording_misses=2)) as w, _async_client(w.phone) as client:
        w.gateway.replies["/recorded"] = "<Response/>"
        async with w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
            await call.answered()
            await call.play_mulaw(loud(1.0)).finished()
            call.press("#")
            await call.wait_ended()
        url = w.gateway.requests_to("/recorded")[0].form["RecordingUrl"] + ".wav"
        async with httpx.AsyncClient(auth=(w.phone.account_sid, TOKEN)) as http:
            answers = [await http.get(url) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [404, 404, 200]
        assert answers[2].content[:4] == b"RIFF"
        (listed,) = await client.recordings.list_async(call_sid=call.sid)
        assert listed.sid == call.recordings[0].sid
        assert (await client.recordings(str(listed.sid)).fetch_async()).duration == "1"
        assert len(await client.calls(call.sid).recordings.list_async()) == 1
        assert await client.recordings(str(listed.sid)).delete_async()
        assert await client.recordings.list_async() == []


@async_test
async def test_a_recorded_outbound_call_leaves_two_channels() -> None:
    async with world(rest=True) as w, _async_client(w.phone) as client:
        w.phone.add_subscriber(FRIEND)
        call = await _placed(w, client, record=True, recording_channels="dual")
        await call.answered()
        await call.play_mulaw(loud(0.3)).finished()
        call.hang_up()
        await call.wait_ended()
        (recording,) = await client.recordings.list_async()
    assert (recording.channels, recording.source) == (2, "OutboundAPI")


@async_test
async def test_numbers_are_listed_and_pointed_elsewhere() -> None:
    async with world(rest=True) as w, _async_client(w.phone) as client:
        (number,) = await client.incoming_phone_numbers.list_async(phone_number=OUR_NUMBER)
        assert number.voice_url == w.gateway.base + "/voice"
        changed = await client.incoming_phone_numbers(str(number.sid)).update_async(
            voice_url=w.gateway.base + "/new", status_callback=w.gateway.base + "/new-status"
        )
        assert changed.voice_url == w.gateway.base + "/new"
        w.gateway.replies["/new"] = "<Response/>"
        async with w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
            await call.wait_ended()
        await w.gateway.request_to("/new")
        await w.gateway.request_to("/new-status")
        account = await client.api.accounts(w.phone.account_sid).fetch_async()
        assert account.status == "active"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"to": "5550009", "from_": OUR_NUMBER, "twiml": PAUSE}, 21211),
        ({"to": FRIEND, "from_": FRIEND, "twiml": PAUSE}, 21210),
        ({"to": FRIEND, "from_": OUR_NUMBER}, 21205),
        ({"to": FRIEND, "from_": OUR_NUMBER, "twiml": "x" * 4001}, 21240),
        ({"to": FRIEND, "from_": OUR_NUMBER, "twiml": PAUSE, "timeout": 601}, 21216),
    ],
)
def test_what_cannot_be_placed_is_refused_with_its_code(options: dict[str, str], code: int) -> None:
    async def scenario() -> None:
        async with world(rest=True) as w, _async_client(w.phone) as client:
            with pytest.raises(TwilioRestException) as refusal:
                await client.calls.create_async(**options)
            assert refusal.value.code == code
            assert w.phone.calls == []

    asyncio.run(scenario())


@async_test
async def test_a_wrong_token_is_401_and_another_account_404() -> None:
    async with world(rest=True) as w:
        base = f"{w.phone.api_base}/2010-04-01/Accounts"
        async with httpx.AsyncClient() as http:
            url = f"{base}/{w.phone.account_sid}/Calls.json"
            assert (await http.get(url)).status_code == 401
            wrong = await http.get(url, auth=(w.phone.account_sid, "wrong"))
            assert (wrong.status_code, wrong.json()["code"]) == (401, 20003)
            other = await http.get(f"{base}/AC{'9' * 32}/Calls.json", auth=(w.phone.account_sid, TOKEN))
            assert other.status_code == 404


@async_test
async def test_429_was_never_processed() -> None:
    async with world(rest=True) as w, _async_client(w.phone) as client:
        w.phone.add_subscriber(FRIEND)
        w.phone.rest_faults.arm("too_many_requests")
        with pytest.raises(TwilioRestException) as refusal:
            await _placed(w, client)
        assert (refusal.value.status, refusal.value.code) == (429, 20429)
        assert w.phone.calls == []
        assert (await _placed(w, client)).sid


@async_test
async def test_503_after_the_work_has_placed_the_call() -> None:
    async with world(rest=True) as w, _async_client(w.phone) as client:
        friend = w.phone.add_subscriber(FRIEND)
        w.phone.rest_faults.arm("unavailable")
        w.phone.rest_faults.arm("unavailable_after")
        for _ in range(2):
            with pytest.raises(TwilioRestException) as refusal:
                await _placed(w, client)
            assert refusal.value.status == 503
        await friend.next_call()
        assert friend.rings == 1
        assert len(await client.calls.list_async(to=FRIEND)) == 1


@async_test
async def test_silence_after_the_work_has_placed_the_call_too() -> None:
    async with world(rest=True) as w, _async_client(w.phone) as client:
        friend = w.phone.add_subscriber(FRIEND)
        w.phone.rest_faults.arm("no_answer_after")
        placing = asyncio.create_task(_placed(w, client))
        await friend.next_call()
        placing.cancel()
        await asyncio.gather(placing, return_exceptions=True)
        assert len(await client.calls.list_async(to=FRIEND)) == 1


@async_test
async def test_what_goes_wrong_with_a_person_is_the_calls_failure() -> None:
    async def clumsy(call: Call) -> None:
        raise RuntimeError("dropped the telephone")

    async with world(rest=True) as w, _async_client(w.phone) as client:
        w.phone.add_subscriber(FRIEND, on_answer=clumsy)
        call = await _placed(w, client)
        with pytest.raises(RuntimeError, match="dropped"):
            await call.wait_ended()
