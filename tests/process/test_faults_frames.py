"""Rows 26 to 37 of the catalogue of faults: frames of the media socket that are not as they should be.

Each drives the real gateway process from outside, and ends with a call that must work.
"""

from __future__ import annotations

import base64

import pytest

from tests.fakes.gateway_world import GatewayWorld, fault, leave, new_call_sid

pytestmark = pytest.mark.process


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
