"""A stream opens, carries audio both ways, marks, clears and ends as Twilio's do."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from starlette.websockets import WebSocketDisconnect

from tests.asyncs import async_test
from tests.fakes.phone_gateway import CALLER, OUR_NUMBER, TOKEN, FakeStream
from tests.unit.phone.world import loud, quiet, world
from toolbox.phone import CallEndedError, Knobs, SimulatedTwilio, sign


def test_the_upgrade_request_is_twilios_to_the_letter() -> None:
    request = bytearray()

    async def scenario() -> None:
        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            request.extend(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(refuse, "127.0.0.1", 0)
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/voice/stream"
        voice = f'<Response><Connect><Stream url="{url}"/></Connect></Response>'
        async with server, world(voice=voice) as w, w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
            await call.wait_ended()
            assert [notice.code for notice in call.notices] == [31920]
            assert "404" in call.notices[0].detail

        head, *lines = request.decode().split("\r\n")
        assert head == "GET /voice/stream HTTP/1.1"
        headers = dict(line.split(": ", 1) for line in lines if line)
        assert headers["User-Agent"] == "Twilio.TmeWs/1.0"
        assert headers["x-twilio-signature"] == sign(TOKEN, url)
        names = {name.lower() for name in headers}
        assert not names & {"origin", "sec-websocket-protocol", "sec-websocket-extensions"}

    asyncio.run(scenario())


@async_test
async def test_a_call_is_connected_started_and_stopped() -> None:
    async with world() as w:
        w.gateway.replies["/voice"] = w.gateway.connect(parameters='<Parameter name="token" value="abc"/>')
        async with w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
            stream = await call.connected()
            await call.play_mulaw(loud(0.1)).finished()
        assert await call.wait_ended() == "completed"
        await w.gateway.request_to("/status")
        messages = w.gateway.streams[0].messages
    connected, start, *media, stop = messages
    assert connected == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    assert start["sequenceNumber"] == "1"
    assert start["start"]["callSid"] == call.sid
    assert start["start"]["customParameters"] == {"token": "abc"}
    assert start["streamSid"] == stream.sid
    assert {message["event"] for message in media} == {"media"}
    assert [message["sequenceNumber"] for message in media] == [str(n + 2) for n in range(len(media))]
    assert [message["media"]["chunk"] for message in media] == [str(n + 1) for n in range(len(media))]
    assert [message["media"]["timestamp"] for message in media] == [str(20 * n) for n in range(len(media))]
    assert stop["event"] == "stop"
    assert stop["stop"] == {"accountSid": w.phone.account_sid, "callSid": call.sid}
    assert loud(0.1) in w.gateway.streams[0].audio()
    assert call.notices == []


@async_test
async def test_keys_arrive_in_order_among_the_media() -> None:
    async def listen(stream: FakeStream) -> None:
        for _ in range(3):
            await stream.until("dtmf")

    async with world(listen) as w, w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
        await call.connected()
        call.press("1w#*", gap_s=0.04)
        await call.wait_ended()
        pressed = [m["dtmf"] for m in w.gateway.streams[0].messages if m["event"] == "dtmf"]
    assert pressed == [{"track": "inbound_track", "digit": digit} for digit in "1#*"]


@async_test
async def test_a_mark_comes_back_after_its_audio_and_the_caller_hears_it() -> None:
    async def talk(stream: FakeStream) -> None:
        await stream.media(loud(0.3))
        await stream.mark("played")
        await stream.until("mark")

    async with world(talk) as w, w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
        await call.connected()
        heard_at = await call.hears(after=0.0)
        await call.wait_ended()
    (mark,) = call.heard.marks
    (arrival,) = call.heard.media
    assert not mark.cleared
    assert mark.echoed_at is not None
    assert mark.echoed_at >= call.heard.time_of(arrival.end)
    assert heard_at == arrival.at
    assert call.heard.track.read(arrival.start, arrival.end) == loud(0.3)
    assert call.heard.first_heard_above() == pytest.approx(call.heard.time_of(arrival.start))


@async_test
async def test_a_clear_empties_the_buffer_and_echoes_every_mark() -> None:
    echoed = list[str]()

    async def interrupted(stream: FakeStream) -> None:
        await stream.media(loud(20.0))
        await stream.mark("one")
        await stream.mark("two")
        await stream.clear()
        echoed.extend([(await stream.until("mark"))["mark"]["name"] for _ in range(2)])
        await stream.media(quiet(0.02))

    async with world(interrupted) as w, w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
        await call.connected()
        await call.wait_ended()
    assert echoed == ["one", "two"]
    (clear,) = call.heard.clears
    assert clear.dropped > 18 * 8000
    assert call.heard.first_clear() == clear.at
    assert [mark.cleared for mark in call.heard.marks] == [True, True]
    assert (call.heard.last_heard_above() or 0.0) <= clear.at + 0.02


@async_test
async def test_the_caller_knows_when_the_agent_has_finished() -> None:
    async def talk(stream: FakeStream) -> None:
        await stream.media(loud(0.2))
        await stream.drain()

    async with world(talk) as w, w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
        await call.connected()
        await call.hears(after=0.0)
        ended = await call.hears_silence(0.3)
        (arrival,) = call.heard.media
        assert ended == pytest.approx(call.heard.time_of(arrival.end), abs=0.021)


@async_test
async def test_after_the_stream_the_next_verb_opens_another() -> None:
    async def once(stream: FakeStream) -> None:
        if len(gateway.streams) == 1:
            return
        await stream.drain()

    async with world(once) as w:
        gateway = w.gateway
        gateway.replies["/voice"] = gateway.connect("<Redirect>/resume/abc</Redirect>")
        gateway.replies["/resume/abc"] = gateway.connect()
        async with w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
            first, second = await call.connected(1), await call.connected(2)
        assert first.sid != second.sid
        assert first.end is not None
        assert first.end.closing.by == "server"
        (resumed,) = gateway.requests_to("/resume/abc")
        assert resumed.signed
        assert resumed.form["CallSid"] == call.sid
        assert resumed.form["CallStatus"] == "in-progress"
        assert [verb.name for verb in call.verbs] == ["Connect", "Redirect", "Connect"]
        assert call.notices == []


@async_test
async def test_stream_callbacks_tell_start_and_stop() -> None:
    async def leave(stream: FakeStream) -> None:
        return

    async with world(leave) as w:
        w.gateway.replies["/voice"] = w.gateway.connect(attributes='name="talk" statusCallback="/stream-status"')
        w.gateway.replies["/stream-status"] = ""
        async with w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
            await call.wait_ended()
        await w.gateway.request_to("/stream-status", 2)
        told = {request.form["StreamEvent"]: request.form for request in w.gateway.requests_to("/stream-status")}
    assert set(told) == {"stream-started", "stream-stopped"}
    assert told["stream-started"]["StreamSid"] == call.stream.sid
    assert told["stream-started"]["StreamName"] == "talk"


@async_test
async def test_a_refused_stream_is_reported_and_the_call_goes_on() -> None:
    async with world() as w:
        w.gateway.refuse_streams = True
        w.gateway.replies["/voice"] = w.gateway.connect(
            "<Say>We cannot talk now.</Say>", attributes='statusCallback="/stream-status"'
        )
        w.gateway.replies["/stream-status"] = ""
        async with w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
            await call.wait_ended()
        (report,) = [await w.gateway.request_to("/stream-status")]
    assert report.form["StreamEvent"] == "stream-error"
    assert "31920" in report.form["StreamError"]
    assert [(verb.name, verb.detail) for verb in call.verbs][1] == ("Say", "We cannot talk now.")


@async_test
async def test_a_server_that_is_not_there_is_31902() -> None:
    voice = '<Response><Connect><Stream url="ws://127.0.0.1:9/voice/stream"/></Connect></Response>'
    async with world(voice=voice) as w, w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
        with pytest.raises(CallEndedError, match="31902"):
            await call.connected()


@async_test
async def test_a_server_that_never_answers_is_31901() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    voice = f'<Response><Connect><Stream url="{url}"/></Connect></Response>'
    knobs = Knobs(handshake_timeout_s=0.05)
    async with server, world(voice=voice, knobs=knobs) as w, w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
        await call.wait_ended()
    assert [notice.code for notice in call.notices] == [31901]


@pytest.mark.parametrize("url", ["ws://voice.example/stream", "https://127.0.0.1/stream"])
def test_only_wss_is_a_streams_scheme_beyond_loopback(url: str) -> None:
    async def scenario() -> None:
        voice = f'<Response><Connect><Stream url="{url}"/></Connect></Response>'
        async with world(voice=voice) as w, w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
            await call.wait_ended()
        assert [notice.code for notice in call.notices] == [31922]

    asyncio.run(scenario())


@async_test
async def test_plain_ws_can_be_forbidden() -> None:
    async with world(knobs=Knobs(allow_plain_ws=False)) as w, w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
        await call.wait_ended()
    assert [notice.code for notice in call.notices] == [31922]


@async_test
async def test_what_the_server_sends_wrong_is_warned_of_once_and_dropped() -> None:
    async def clumsy(stream: FakeStream) -> None:
        await stream.socket.send_bytes(b"audio")
        await stream.socket.send_bytes(b"audio")
        await stream.socket.send_text("not json")
        await stream.send(event="hello")
        await stream.media(loud(0.02))
        await stream.mark("end")
        await stream.until("mark")

    async with world(clumsy) as w, w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
        await call.wait_ended()
    assert [notice.code for notice in call.notices] == [31950, 31951]
    assert len(call.heard.media) == 1


@async_test
async def test_a_close_with_an_error_is_31921() -> None:
    async def refuse(stream: FakeStream) -> None:
        await stream.socket.close(1008, "bad token")

    async with world(refuse) as w, w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
        await call.wait_ended()
    assert [str(notice) for notice in call.notices] == [
        "error 31921 Stream - WebSocket - Close Error: closed by the server with 1008 bad token"
    ]


# Faults the telephone commits.


async def _broken_after(fault: str) -> tuple[FakeStream, SimulatedTwilio]:
    gone = asyncio.Event()

    async def watch(stream: FakeStream) -> None:
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                await stream.receive()
        gone.set()

    async with world(watch) as w:
        w.gateway.replies["/voice"] = w.gateway.connect("<Pause length='60'/>")
        async with w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
            await call.connected()
            getattr(call, fault)()
            await gone.wait()
            assert not call.is_over
        assert [notice.code for notice in call.notices] == [31903]
        return w.gateway.streams[0], w.phone


@async_test
async def test_a_dropped_socket_says_no_stop_and_the_call_goes_on() -> None:
    stream, _ = await _broken_after("drop_socket")
    assert "stop" not in {message["event"] for message in stream.messages}


@async_test
async def test_raw_frames_pass_every_counter() -> None:
    seen = list[str | bytes]()

    async def raw(stream: FakeStream) -> None:
        while len(seen) < 2:
            message = await stream.socket.receive()
            content = message.get("bytes") or message.get("text")
            if content is not None and '"media"' not in str(content):
                seen.append(content)

    async with world(raw) as w, w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
        await call.connected()
        call.send_raw("[" * 50)
        call.send_raw(b"\0\1")
        await call.wait_ended()
    assert seen == ["[" * 50, b"\0\1"]


@pytest.mark.parametrize(
    ("data", "rsv1", "code"), [(b"\xff\xfe", False, 1007), (b"{}", True, 1002)], ids=["invalid UTF-8", "compressed"]
)
def test_frames_may_break_the_protocol(data: bytes, rsv1: bool, code: int) -> None:
    async def scenario() -> None:
        async with world() as w, w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
            stream = await call.connected()
            stream.send_frame(data, rsv1=rsv1)
            await call.wait_ended()
        assert stream.end is not None
        assert stream.end.closing.code == code

    asyncio.run(scenario())


@async_test
async def test_a_rush_is_faster_than_real_time() -> None:
    async def listen(stream: FakeStream) -> None:
        await stream.until("dtmf")

    async with world(listen) as w, w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
        await call.connected()
        call.rush(times=10, seconds=3600.0)
        await call.play_mulaw(loud(0.2)).finished()
        call.press("1")
        await call.wait_ended()
        media = [m["media"] for m in w.gateway.streams[0].messages if m["event"] == "media"]
    assert len(media) >= 100
    assert [int(m["chunk"]) for m in media] == list(range(1, len(media) + 1))


@async_test
async def test_a_half_open_connection_neither_sends_nor_ends() -> None:
    frozen = asyncio.Event()
    counts = list[int]()

    async def watch(stream: FakeStream) -> None:
        await stream.until("dtmf")
        frozen.set()
        await stream.drain()
        counts.append(sum(m["event"] == "media" for m in stream.messages))

    async with world(watch) as w, w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
        stream = await call.connected()
        call.press("1")
        await frozen.wait()
        call.go_half_open()
        sent = stream.link is not None and stream.link.is_open
        await call.play_mulaw(loud(0.1)).finished()
        assert not sent
        assert stream.end is None
        assert not counts


@async_test
async def test_a_silent_server_ends_where_the_knob_says_so() -> None:
    async with world(knobs=Knobs(stream_idle_timeout_s=0.1)) as w, w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
        await call.wait_ended()
    assert [notice.code for notice in call.notices] == [31903]


@async_test
async def test_what_is_buffered_when_the_stream_ends_is_not_heard() -> None:
    async def hasty(stream: FakeStream) -> None:
        await stream.media(loud(30.0))

    async with world(hasty) as w, w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
        await call.wait_ended()
    assert call.heard.received_seconds() == pytest.approx(30.0)
    assert len(call.heard.track) < 10 * 8000
