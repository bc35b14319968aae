"""Rows 19 to 48, 60 and 76 of the catalogue of faults: the media socket.

Each drives the real gateway process from outside, and ends with a call that must work.
"""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import Iterator

import pytest
import websockets.asyncio.client as ws
from websockets.exceptions import InvalidStatus
from websockets.frames import Opcode

from parley.conversation.v1 import conversation_pb2 as conv
from tests.fakes.gateway_orchestrator import HANG_GUARD_S
from tests.fakes.gateway_process import AUTH_TOKEN
from tests.fakes.gateway_world import GatewayWorld, RawStream, fault, new_call_sid
from toolbox.phone import sign

pytestmark = pytest.mark.process

PLAYED, CLEARED = conv.Playback.STATUS_PLAYED, conv.Playback.STATUS_CLEARED


@pytest.fixture(scope="module")
def world() -> Iterator[GatewayWorld]:
    with GatewayWorld() as surroundings:
        yield surroundings


async def leave(world: GatewayWorld, stream: RawStream) -> None:
    """End a call made by hand."""
    await stream.socket.close()
    await world.hang_up(stream.call_sid)
    await world.no_calls()


# ------------------------------------------------------------------------------------------ upgrade and admission


@fault
async def test_row_19_an_unsigned_upgrade_is_forbidden(world: GatewayWorld) -> None:
    call_sid = new_call_sid()
    answer = await world.webhook(call_sid)
    for signature in ("", "nonsense", sign("another token", answer.stream_url)):
        with pytest.raises(InvalidStatus) as refused:
            await world.socket(answer, call_sid, signature=signature)
        assert refused.value.response.status_code == 403
    await world.hang_up(call_sid)


@fault
async def test_row_20_an_unknown_or_missing_token_is_refused(world: GatewayWorld) -> None:
    call_sid = new_call_sid()
    answer = await world.webhook(call_sid)
    for token in ("", "x", "f.99999999999.abc.def", answer.token[:-1], "é" * 50, "x" * 490):
        stream = await world.socket(answer, call_sid)
        await stream.start(token)
        assert await stream.close_code() == 1008
    await world.hang_up(call_sid)


@fault
async def test_row_20_a_used_token_is_refused(world: GatewayWorld) -> None:
    stream, _ = await world.stream()
    answer = await world.webhook(stream.call_sid)
    again = await world.socket(answer, stream.call_sid)
    await again.start(answer.token)
    assert await again.close_code() == 1008
    await leave(world, stream)


def test_row_20_an_expired_token_is_refused() -> None:
    async def scenario(world: GatewayWorld) -> None:
        call_sid = new_call_sid()
        answer = await world.webhook(call_sid)
        stream = await world.socket(answer, call_sid)
        await asyncio.sleep(2.1)  # its expiry is in whole seconds of the wall clock: there is nothing to wait for
        await stream.start(answer.token)
        assert await stream.close_code() == 1008
        await world.hang_up(call_sid)
        await world.good_call()

    with GatewayWorld("gateway.stream.token_ttl_s=1", "gateway.stream.start_deadline_s=10") as world:
        world.run(scenario(world))


@fault
async def test_row_21_a_token_of_another_call_is_refused(world: GatewayWorld) -> None:
    mine, other = new_call_sid(), new_call_sid()
    answer, stolen = await world.webhook(mine), await world.webhook(other)
    stream = await world.socket(answer, mine)
    await stream.start(stolen.token)
    assert await stream.close_code() == 1008
    # And it is not used up by that: its own call still has it.
    nth = len(world.orchestrator.conversations) + 1
    rightful = await world.socket(stolen, other)
    await rightful.start(stolen.token)
    await world.orchestrator.conversation(nth)
    await world.hang_up(mine)
    await leave(world, rightful)


@fault
async def test_row_21_a_start_of_another_account_is_refused(world: GatewayWorld) -> None:
    call_sid = new_call_sid()
    answer = await world.webhook(call_sid)
    stream = await world.socket(answer, call_sid)
    await stream.start(answer.token, accountSid="AC" + "9" * 32)
    assert await stream.close_code() == 1008
    await world.hang_up(call_sid)


@fault
async def test_row_22_a_socket_without_start_is_closed(world: GatewayWorld) -> None:
    call_sid = new_call_sid()
    answer = await world.webhook(call_sid)
    silent = await world.socket(answer, call_sid)
    polite = await world.socket(answer, call_sid)
    await polite.send(event="connected", protocol="Call", version="1.0.0")
    assert await silent.close_code() == 1008
    assert await polite.close_code() == 1008
    await world.hang_up(call_sid)


@fault
async def test_row_23_media_before_start_closes_the_socket(world: GatewayWorld) -> None:
    call_sid = new_call_sid()
    answer = await world.webhook(call_sid)
    stream = await world.socket(answer, call_sid)
    await stream.media()
    assert await stream.close_code() == 1002
    await world.hang_up(call_sid)


@fault
async def test_row_24_a_second_start_closes_the_socket(world: GatewayWorld) -> None:
    stream, held = await world.stream()
    await stream.start("whatever")
    assert await stream.close_code() == 1002
    await world.hang_up(stream.call_sid)
    await held.expect("end")


@fault
async def test_row_25_a_resume_token_supersedes_a_live_socket(world: GatewayWorld) -> None:
    stream, held = await world.stream()
    first = await world.webhook(stream.call_sid)
    await stream.media()
    before = len(await held.hears())
    resumed = await world.resume(first.resume_url, stream.call_sid)
    assert resumed.verbs == ["Connect", "Redirect"]
    assert resumed.resume_url != first.resume_url
    newer = await world.socket(resumed, stream.call_sid)
    newer.sid = "MZ" + "f" * 32
    await newer.start(resumed.token)
    assert await stream.close_code() == 1008
    # It is the same conversation, which never noticed.
    await newer.media()
    assert len(await held.hears(before + 160)) == before + 160
    assert not held.gone.is_set()
    # The request repeated gets the same answer, whose token is spent.
    assert await world.resume(first.resume_url, stream.call_sid) == resumed
    again = await world.socket(resumed, stream.call_sid)
    await again.start(resumed.token)
    assert await again.close_code() == 1008
    await leave(world, newer)


@fault
async def test_row_25_a_resume_path_of_another_call_or_of_none_is_not_found(world: GatewayWorld) -> None:
    stream, _ = await world.stream()
    other = new_call_sid()
    stolen = await world.webhook(other)
    for url in (stolen.resume_url, world.url("/voice/resume/guessed")):
        assert (await world.post(url, world.form(stream.call_sid))).status_code == 404
    await world.hang_up(other)
    await leave(world, stream)


# ------------------------------------------------------------------------------------------------ malformed frames

_MALFORMED = {
    "no JSON": "hello",
    "empty": "",
    "top-level array": "[]",
    "null": "null",
    "a number": "7",
    "deep nesting": "[" * 60_000,
    "deep objects": '{"a":' * 10_000,
    "huge integer": '{"event":"media","media":{"payload":"AAAA"},"sequenceNumber":' + "9" * 5_000 + "}",
    "huge number as text": '{"event":"media","media":{"payload":"AAAA"},"sequenceNumber":"' + "9" * 5_000 + '"}',
    "NaN": '{"event":"media","media":{"payload":"AAAA","timestamp":NaN}}',
    "no event": "{}",
    "event of another kind": '{"event":{"event":"media"}}',
    "media without payload": '{"event":"media","media":{}}',
    "media that is a list": '{"event":"media","media":["payload"]}',
    "payload that is a number": '{"event":"media","media":{"payload":7}}',
    "bad base64": '{"event":"media","media":{"payload":"AA*A"}}',
    "mark without name": '{"event":"mark","mark":{}}',
}


@pytest.mark.parametrize("kind", list(_MALFORMED))
def test_row_26_malformed_json_is_dropped_and_then_closes_the_socket(world: GatewayWorld, kind: str) -> None:
    async def scenario() -> None:
        stream, held = await world.stream()
        await stream.socket.send(_MALFORMED[kind])
        # One does no harm.
        await stream.media()
        assert await held.hears() == b"\x11" * 160
        for _ in range(4):
            await stream.socket.send(_MALFORMED[kind])
        assert await stream.close_code() == 1008
        await world.hang_up(stream.call_sid)
        await held.expect("end")
        await world.good_call()

    world.run(scenario())


@fault
async def test_row_26_of_duplicate_keys_the_last_wins(world: GatewayWorld) -> None:
    stream, held = await world.stream()
    good, other = (base64.b64encode(bytes([value]) * 160).decode() for value in (1, 2))
    await stream.socket.send(
        f'{{"event":"mark","event":"media","streamSid":"{stream.sid}","media":{{"payload":"{other}","payload":"{good}"}}}}'
    )
    assert await held.hears() == b"\x01" * 160
    await leave(world, stream)


@fault
async def test_row_27_a_binary_frame_is_dropped(world: GatewayWorld) -> None:
    stream, held = await world.stream()
    await stream.socket.send(b"\x00" * 160)
    await stream.media()
    assert await held.hears() == b"\x11" * 160
    await leave(world, stream)


@fault
async def test_row_28_unknown_events_and_fields_are_ignored(world: GatewayWorld) -> None:
    stream, held = await world.stream()
    for _ in range(20):
        await stream.numbered(event="weather", weather={"sunny": True})
    await stream.media(colour="blue", track="inbound")
    assert await held.hears() == b"\x11" * 160
    await leave(world, stream)


@fault
async def test_row_29_numeric_sequence_numbers_are_accepted(world: GatewayWorld) -> None:
    stream, held = await world.stream()
    payload = base64.b64encode(b"\x11" * 160).decode()
    await stream.numbered(event="media", sequenceNumber=2, media={"payload": payload})
    assert await held.hears() == b"\x11" * 160
    await leave(world, stream)


@fault
async def test_row_30_gaps_and_reordering_pass_and_duplicates_are_dropped(world: GatewayWorld) -> None:
    stream, held = await world.stream()
    for number, value in ((2, 1), (5, 2), (4, 3), (5, 9), (2, 9), (4, 9), (6, 4)):
        payload = base64.b64encode(bytes([value]) * 10).decode()
        await stream.numbered(event="media", sequenceNumber=str(number), media={"payload": payload})
    assert await held.hears(40) == b"".join(bytes([value]) * 10 for value in (1, 2, 3, 4))
    assert [piece.seq for piece in held.audio] == [1, 2, 3, 4]
    await leave(world, stream)


@fault
async def test_row_31_backward_and_huge_timestamps_allocate_nothing(world: GatewayWorld) -> None:
    stream, held = await world.stream()
    for timestamp in ("100000", "5", "-1", "9" * 30, "soon"):
        await stream.media(timestamp=timestamp, chunk=timestamp)
    assert await held.hears(800) == b"\x11" * 800
    assert [piece.offset.ToMilliseconds() for piece in held.audio] == [0, 20, 40, 60, 80]
    await leave(world, stream)


@fault
async def test_row_32_bad_base64_is_dropped(world: GatewayWorld) -> None:
    stream, held = await world.stream()
    for encoded in ("AAA", "A=AA", "AAAA\n"):
        await stream.numbered(event="media", media={"payload": encoded})
    await stream.media()
    assert await held.hears() == b"\x11" * 160
    await leave(world, stream)


@fault
async def test_row_33_payloads_of_any_length_are_taken(world: GatewayWorld) -> None:
    stream, held = await world.stream()
    lengths = (0, 1, 161, 40_000, 160)
    for value, length in enumerate(lengths):
        await stream.media(bytes([value]) * length)
    assert await held.hears(sum(lengths)) == b"".join(bytes([value]) * length for value, length in enumerate(lengths))
    # The contract takes at most a second at a time.
    assert max(len(piece.payload) for piece in held.audio) == 8_000
    await leave(world, stream)


@fault
async def test_row_34_the_outbound_track_is_not_listened_to(world: GatewayWorld) -> None:
    stream, held = await world.stream()
    for track in ("outbound", "outbound_track", ["inbound"], {"inbound": 1}, 7):
        await stream.media(b"\x77" * 160, track=track)
    await stream.media()
    assert await held.hears() == b"\x11" * 160
    await leave(world, stream)


@fault
async def test_row_35_another_stream_sid_is_dropped(world: GatewayWorld) -> None:
    stream, held = await world.stream()
    media = {"payload": base64.b64encode(b"\x77" * 160).decode()}
    for stream_sid in ("MZ" + "0" * 32, "", None, 7):
        await stream.numbered(event="media", streamSid=stream_sid, media=media)
    await stream.numbered(event="stop", streamSid="MZ" + "0" * 32, stop={})
    await stream.media()
    assert await held.hears() == b"\x11" * 160
    await leave(world, stream)


@fault
async def test_row_36_an_unsupported_format_is_closed_and_the_caller_told(world: GatewayWorld) -> None:
    for media_format in (
        {"encoding": "audio/x-l16", "sampleRate": 16000, "channels": 1},
        {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 2},
        {},
    ):
        call_sid = new_call_sid()
        answer = await world.webhook(call_sid)
        stream = await world.socket(answer, call_sid)
        await stream.start(answer.token, mediaFormat=media_format)
        assert await stream.close_code() == 1003
        assert (await world.resume(answer.resume_url, call_sid)).verbs == ["Say", "Hangup"]
    assert await world.live_calls() == 0


@fault
async def test_row_37_ten_thousand_custom_parameters_are_refused(world: GatewayWorld) -> None:
    call_sid = new_call_sid()
    answer = await world.webhook(call_sid)
    stream = await world.socket(answer, call_sid)
    await stream.start("x", customParameters={f"{number}": "" for number in range(5_000)})
    assert await stream.close_code() == 1008  # dropped, so no start came in time
    bigger = await world.socket(answer, call_sid)
    await bigger.start("x", customParameters={f"{number}": "x" for number in range(10_000)})
    assert await bigger.close_code() == 1009
    await world.hang_up(call_sid)


@fault
async def test_row_37_odd_custom_parameters_do_no_harm(world: GatewayWorld) -> None:
    call_sid = new_call_sid()
    answer = await world.webhook(call_sid)
    nth = len(world.orchestrator.conversations) + 1
    stream = await world.socket(answer, call_sid)
    odd = {"__proto__": "x", "__class__": {"a": 1}, "constructor": ["x"], "token": answer.token}
    await stream.start(answer.token, customParameters=odd)
    held = await world.orchestrator.conversation(nth)
    assert not held.start.context
    await leave(world, stream)


# ---------------------------------------------------------------------------------------------- marks and playback


@fault
async def test_row_38_unknown_late_and_duplicate_marks_are_ignored(world: GatewayWorld) -> None:
    async with world.call() as call:
        held = await world.talking(call)
        for name in ("unknown", "1", "1.1", "0", "-1", "x" * 150):
            call.stream.send_raw(f'{{"event":"mark","streamSid":"{call.stream.sid}","mark":{{"name":"{name}"}}}}')
        mark = held.say(1, 0.4)
        await held.playback_of(mark)
        name = call.heard.marks[-1].name
        for _ in range(3):
            call.stream.send_raw(f'{{"event":"mark","streamSid":"{call.stream.sid}","mark":{{"name":"{name}"}}}}')
        last = held.say(2, 0.2)
        await held.playback_of(last)
        assert [(each.mark, each.status) for each in held.of("playback")] == [(1, PLAYED), (2, PLAYED), (3, PLAYED)]
        call.hang_up()
        await held.expect("end")


@fault
async def test_row_39_a_mark_that_never_returns_is_estimated(world: GatewayWorld) -> None:
    stream, held = await world.stream()
    pulse = asyncio.create_task(keep_talking(stream))
    mark = held.say(1, 0.6)
    played = await held.playback_of(mark)
    assert played.status == PLAYED
    assert played.estimated
    assert played.position.ToMilliseconds() == 600
    pulse.cancel()
    await leave(world, stream)


@fault
async def test_row_40_a_mark_after_clear_was_never_heard(world: GatewayWorld) -> None:
    async with world.call() as call:
        held = await world.talking(call)
        mark = held.say(1, 5.0)
        await held.playback_of(2)
        held.clear(1)
        cleared = await held.playback_of(mark)
        assert cleared.status == CLEARED
        assert 400 <= cleared.position.ToMilliseconds() < 5_000
        # The echoes that the cleared line gave back have arrived by the time the next playout is heard.
        await held.playback_of(held.say(2, 0.2))
        reports = [each for each in held.of("playback") if each.playout_id == 1]
        assert [each.mark for each in reports] == list(range(1, mark + 1))
        statuses = [each.status for each in reports]
        assert statuses == sorted(statuses)  # first what was played, then what was cleared; each mark once
        call.hang_up()


@fault
async def test_after_clear_nothing_of_that_playout_leaves_the_gateway(world: GatewayWorld) -> None:
    async with world.call() as call:
        held = await world.talking(call)
        held.playout(1)
        held.sound(1, 3.0, payload=b"\x01" * 160)
        await call.hears(-90.0, after=0.0)
        held.clear(1)
        held.sound(1, 1.0, payload=b"\x01" * 160)  # late, against the rules
        held.playout(2)
        held.sound(2, 0.4, payload=b"\x02" * 160)
        await held.playback_of(held.mark(2, last=True))
        cleared_at = call.heard.clears[0].at
        late = [arrival.payload for arrival in call.heard.media if arrival.at > cleared_at]
        assert b"".join(payload for payload in late if payload) == b"\x02" * 160 * 20
        call.hang_up()


# ------------------------------------------------------------------------------------------------------- the rest


@fault
async def test_row_41_a_bad_digit_is_ignored_and_a_good_one_passed_on(world: GatewayWorld) -> None:
    stream, held = await world.stream()
    for digit in ("", "E", "11", "５", 7, None):
        await stream.numbered(event="dtmf", dtmf={"track": "inbound_track", "digit": digit})
    await stream.numbered(event="dtmf", dtmf={"track": "inbound_track", "digit": "#"})
    await held.expect("dtmf")
    assert [each.digit for each in held.of("dtmf")] == ["#"]
    await leave(world, stream)


@fault
async def test_row_42_a_socket_that_dies_without_stop_frees_everything(world: GatewayWorld) -> None:
    stream, held = await world.stream()
    stream.socket.transport.abort()
    ended = await held.expect("end")
    assert ended.reason == conv.END_REASON_LINE_LOST
    await world.no_calls()


@fault
async def test_row_43_media_after_stop_is_ignored(world: GatewayWorld) -> None:
    stream, held = await world.stream()
    await stream.media()
    await held.hears()
    await stream.numbered(event="stop", stop={"accountSid": "x", "callSid": stream.call_sid})
    await stream.media(b"\x77" * 160)
    ended = await held.expect("end")
    assert ended.reason == conv.END_REASON_CALLER_HUNG_UP
    assert await held.hears() == b"\x11" * 160
    assert await stream.close_code() == 1000
    await world.no_calls()


@fault
async def test_row_44_a_half_open_line_is_ended_by_the_watchdog(world: GatewayWorld) -> None:
    stream, held = await world.stream()
    await stream.media()
    await held.hears()
    # Nothing is sent any more, and nothing is closed.
    assert await stream.close_code() in {1001, 1006}
    ended = await held.expect("end")
    assert ended.reason == conv.END_REASON_LINE_LOST
    await world.no_calls()


@fault
async def test_row_45_a_peer_that_does_not_read_is_closed(world: GatewayWorld) -> None:
    async with world.call() as call:
        held = await world.talking(call)
        line = call.stream.link
        assert line is not None
        transport = line._transport
        assert transport is not None
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        line.stop_reading()
        talk = asyncio.create_task(keep_sounding(held))
        # The caller is still heard, so it is no idle line; the call goes on with a stream that reads.
        second = await call.connected(2)
        assert second is not call.streams[0]
        talk.cancel()
        call.hang_up()
        await held.expect("end")


@fault
async def test_row_46_sound_faster_than_real_time_is_capped(world: GatewayWorld) -> None:
    stream, held = await world.stream()
    for _ in range(1_500):  # thirty seconds at once
        await stream.media()
    await stream.numbered(event="dtmf", dtmf={"digit": "1"})
    await held.expect("dtmf")
    taken = len(b"".join(piece.payload for piece in held.audio))
    # A burst of ten seconds is allowed; what more came is what real time let pass meanwhile.
    assert taken < 20 * 8_000
    await leave(world, stream)


@fault
async def test_row_47_a_frame_over_64_kib_closes_the_socket(world: GatewayWorld) -> None:
    stream, held = await world.stream()
    await stream.socket.send('{"event":"' + "x" * 65_536 + '"}')
    assert await stream.close_code() == 1009
    await world.hang_up(stream.call_sid)
    await held.expect("end")


@fault
async def test_row_47_compression_is_not_negotiated_and_a_compressed_frame_closes_the_socket(
    world: GatewayWorld,
) -> None:
    call_sid = new_call_sid()
    answer = await world.webhook(call_sid)
    offered = await ws.connect(
        answer.stream_url,
        additional_headers={"x-twilio-signature": sign(AUTH_TOKEN, answer.stream_url)},
        compression="deflate",
        proxy=None,
    )
    assert not offered.protocol.extensions
    await offered.close()
    await world.hang_up(call_sid)
    stream, held = await world.stream()
    # A text frame with RSV1, masked with zeros: "compressed" as nobody agreed to.
    stream.socket.transport.write(b"\xc1\x82\x00\x00\x00\x00{}")
    assert await stream.close_code() == 1002
    await world.hang_up(stream.call_sid)
    await held.expect("end")


@fault
async def test_row_48_invalid_utf8_closes_the_socket(world: GatewayWorld) -> None:
    async with world.call() as call:
        await world.talking(call)
        call.stream.send_frame(b'{"event":"\xff\xfe"}', opcode=Opcode.TEXT)
        await call.connected(2)
        assert call.streams[0].end is not None
        assert call.streams[0].end.closing.code == 1007
        call.hang_up()


# ------------------------------------------------------------------------------------------------- ends of a call


@pytest.mark.parametrize("stage", ["listening", "speaking", "clearing", "before ready"])
def test_row_60_a_caller_who_hangs_up_ends_the_conversation_at_every_stage(world: GatewayWorld, stage: str) -> None:
    async def scenario() -> None:
        world.orchestrator.readies = stage != "before ready"
        async with world.call() as call:
            held = await world.talking(call)
            if stage in {"speaking", "clearing"}:
                held.say(1, 5.0)
                await held.playback_of(1)
            if stage == "clearing":
                held.clear(1)
            call.hang_up()
            ended = await held.expect("end")
            assert ended.reason == conv.END_REASON_CALLER_HUNG_UP
            await asyncio.wait_for(held.gone.wait(), HANG_GUARD_S)
        world.orchestrator.readies = True
        await world.no_calls()
        await world.good_call()

    world.run(scenario())


@fault
async def test_row_76_after_five_resumes_comes_an_apology(world: GatewayWorld) -> None:
    call_sid = new_call_sid()
    answer = await world.webhook(call_sid)
    for _ in range(5):
        answer = await world.resume(answer.resume_url, call_sid)
        assert answer.verbs == ["Connect", "Redirect"]
    last = await world.resume(answer.resume_url, call_sid)
    assert last.verbs == ["Say", "Hangup"]
    await world.no_calls()


@fault
async def test_row_76_a_line_that_breaks_again_and_again_is_given_up(world: GatewayWorld) -> None:
    async with world.call() as call:
        held = await world.talking(call)
        for nth in range(1, 7):
            stream = await call.connected(nth)
            assert stream.link is not None
            stream.link.drop()
        assert await call.wait_ended() == "completed"
        assert [verb.name for verb in call.verbs][-2:] == ["Say", "Hangup"]
        await held.expect("end")


async def keep_talking(stream: RawStream) -> None:
    """The caller's sound in real time, so that the line is no idle one."""
    while True:
        await stream.media()
        await asyncio.sleep(0.02)


async def keep_sounding(held: object) -> None:
    """The agent's sound without end."""
    held.playout(1)  # type: ignore[attr-defined]
    while True:
        held.sound(1, 1.0)  # type: ignore[attr-defined]
        await asyncio.sleep(1.0)
