"""Warming the brain while the telephone rings."""

from __future__ import annotations

import asyncio

from tests.asyncs import async_test
from tests.fakes.brain_servers import DONE, FakeBrainServer, delta, silent, status, streaming, whole
from tests.unit.orchestrator.brain.asking import brain_at, whole_reply

ONE_TOKEN = {"choices": [{"message": {"content": "Hi"}, "finish_reason": "length"}]}


@async_test
async def test_connecting_fetches_the_list_of_models_and_keeps_the_connection_for_the_question() -> None:
    async with FakeBrainServer(whole({"data": []}), streaming(delta("Four."), DONE)) as server:
        brain = brain_at(server.base_url, warm="connect")
        await brain.warm()
        await whole_reply(brain)
        await brain.close()
    assert [request.path for request in server.requests] == ["/v1/models", "/v1/chat/completions"]
    assert server.connections == 1


@async_test
async def test_a_request_asks_for_one_token_with_our_system_prompt() -> None:
    async with FakeBrainServer(whole(ONE_TOKEN)) as server:
        brain = brain_at(server.base_url, warm="request", system_prompt="Be brief.")
        await brain.warm()
        await brain.close()
    body = server.requests[0].body
    assert body["max_tokens"] == 1
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}


@async_test
async def test_openclaw_is_warmed_in_a_session_away_from_any_calls() -> None:
    async with FakeBrainServer(whole(ONE_TOKEN)) as server:
        brain = brain_at(server.base_url, preset="openclaw")
        await brain.warm()
        await brain.close()
    assert server.requests[0].headers["x-openclaw-session-key"] == "parley-warm"


@async_test
async def test_openclaws_readiness_is_asked_where_only_connecting_is_wanted() -> None:
    async with FakeBrainServer(whole({})) as server:
        brain = brain_at(server.base_url, preset="openclaw", warm="connect")
        await brain.warm()
        await brain.close()
    assert server.requests[0].path == "/readyz"


@async_test
async def test_many_calls_ringing_at_once_warm_it_once() -> None:
    async with FakeBrainServer(whole(ONE_TOKEN)) as server:
        brain = brain_at(server.base_url, warm="request")
        await asyncio.gather(*(brain.warm() for _ in range(5)))
        await brain.close()
    assert len(server.requests) == 1


@async_test
async def test_a_brain_that_has_just_answered_needs_no_warming() -> None:
    async with FakeBrainServer(streaming(delta("Four."), DONE)) as server:
        brain = brain_at(server.base_url, warm="request")
        await whole_reply(brain)
        await brain.warm()
        await brain.close()
    assert len(server.requests) == 1


@async_test
async def test_failure_and_silence_are_bounded_and_raise_nothing() -> None:
    async with FakeBrainServer(status(500), silent) as server:
        brain = brain_at(server.base_url, warm="request", warm_timeout_s=0.2)
        await brain.warm()
        await brain.warm()
        await brain.close()
    assert len(server.requests) == 2


@async_test
async def test_switched_off_it_asks_nothing() -> None:
    async with FakeBrainServer(silent) as server:
        brain = brain_at(server.base_url, warm="off")
        await brain.warm()
        await brain.close()
    assert server.requests == []
