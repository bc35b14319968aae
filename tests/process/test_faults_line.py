"""Rows 41 to 48 of the catalogue of faults: a media socket that dies, stalls, floods or speaks something else.

Each drives the real gateway process from outside, and ends with a call that must work.
"""

from __future__ import annotations

import asyncio

import pytest
import websockets.asyncio.client as ws
from websockets.frames import Opcode

from parley.conversation.v1 import conversation_pb2 as conv
from tests.fakes.gateway_process import AUTH_TOKEN
from tests.fakes.gateway_world import GatewayWorld, fault, leave, new_call_sid
from toolbox.phone import sign

pytestmark = pytest.mark.process


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
        # The kernel's buffer is left as it is, and takes some seconds to fill: one made smaller behind a window that
        # was granted drops the peer's acknowledgements and even its reset, and the caller would not be heard either.
        call.stop_reading()
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


async def keep_sounding(held: object) -> None:
    """The agent's sound without end."""
    held.playout(1)  # type: ignore[attr-defined]
    while True:
        held.sound(1, 1.0)  # type: ignore[attr-defined]
        await asyncio.sleep(1.0)
