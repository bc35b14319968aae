"""Rows 38 to 40 of the catalogue of faults: what a line says of the sound it was sent.

Each drives the real gateway process from outside, and ends with a call that must work.
"""

from __future__ import annotations

import asyncio

import pytest

from parley.conversation.v1 import conversation_pb2 as conv
from tests.fakes.gateway_world import GatewayWorld, RawStream, fault, leave

PLAYED, CLEARED = conv.Playback.STATUS_PLAYED, conv.Playback.STATUS_CLEARED

pytestmark = pytest.mark.process


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


async def keep_talking(stream: RawStream) -> None:
    """The caller's sound in real time, so that the line is no idle one."""
    while True:
        await stream.media()
        await asyncio.sleep(0.02)
