"""Rows 19 to 25 of the catalogue of faults: who may open a media socket, and how often.

Each drives the real gateway process from outside, and ends with a call that must work.
"""

from __future__ import annotations

import asyncio

import pytest
from websockets.exceptions import InvalidStatus

from tests.fakes.gateway_world import GatewayWorld, fault, leave, new_call_sid
from toolbox.phone import sign

pytestmark = pytest.mark.process


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
