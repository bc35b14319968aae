"""Every way a brain fails, and what the conversation is told (rows 53 to 55 and 75 of the fault catalogue)."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from orchestrator.brain import Brain, BrainError, BrainEvent
from tests.asyncs import async_test
from tests.fakes.brain_servers import (
    DONE,
    ROLE,
    Act,
    FakeBrainServer,
    data,
    delta,
    endless,
    hanging_up,
    silent,
    status,
    streaming,
    streaming_then_breaking,
    streaming_then_silent,
)
from tests.unit.orchestrator.brain.asking import brain_at, calls_of, question, reason_of, text_of, whole_reply


async def failure_of(act: Act, **settings: Any) -> tuple[BrainError, str, FakeBrainServer]:
    """(the error, the text that came before it, the server) of one question."""
    got: list[BrainEvent] = []

    async def listen(brain: Brain) -> None:
        async with asyncio.timeout(10):
            async for event in brain.reply(question()):
                got.append(event)  # noqa: PERF401 - what came before the error counts

    async with FakeBrainServer(act) as server:
        brain = brain_at(server.base_url, **settings)
        with pytest.raises(BrainError) as caught:
            await listen(brain)
        await brain.close()
    return caught.value, text_of(got), server


@async_test
async def test_nobody_listening_is_refused_with_the_setting_to_mend_it() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    brain = brain_at(f"http://127.0.0.1:{port}/v1")
    with pytest.raises(BrainError, match="base_url") as caught:
        await whole_reply(brain)
    await brain.close()
    assert caught.value.kind == "refused"


@async_test
async def test_tls_to_a_server_without_it_is_refused_and_says_so() -> None:
    async with FakeBrainServer(silent) as server:
        brain = brain_at(server.base_url.replace("http://", "https://"), attempts=1)
        with pytest.raises(BrainError, match="TLS") as caught:
            await whole_reply(brain)
        await brain.close()
    assert caught.value.kind == "refused"


@pytest.mark.parametrize(
    ("code", "kind"),
    [(401, "auth"), (403, "auth"), (404, "protocol"), (400, "protocol"), (429, "rate_limited"), (500, "server")],
)
def test_each_status_has_its_kind_and_the_endpoints_words_stay_out(code: int, kind: str) -> None:
    @async_test
    async def scenario() -> None:
        error, _, _ = await failure_of(status(code), attempts=1)
        assert error.kind == kind
        assert "secret words" not in error.message

    scenario()


@async_test
async def test_a_busy_stateless_brain_is_asked_once_more() -> None:
    async with FakeBrainServer(status(503), streaming(delta("Four."), DONE)) as server:
        brain = brain_at(server.base_url)
        events = await whole_reply(brain)
        await brain.close()
    assert text_of(events) == "Four."
    assert len(server.requests) == 2


@async_test
async def test_a_brain_that_wants_a_long_wait_is_not_asked_again() -> None:
    error, _, server = await failure_of(status(429, retry_after="20"), attempts=5)
    assert error.kind == "rate_limited"
    assert len(server.requests) == 1


@async_test
async def test_a_stateful_brain_is_never_asked_twice() -> None:
    _, _, busy = await failure_of(status(503), attempts=5, stateful=True)
    _, _, dropped = await failure_of(hanging_up, attempts=5, stateful=True)
    assert len(busy.requests) == 1
    assert len(dropped.requests) == 1


@async_test
async def test_a_key_refused_is_not_tried_again() -> None:
    _, _, server = await failure_of(status(401), attempts=5)
    assert len(server.requests) == 1


@async_test
async def test_a_connection_closed_without_an_answer_is_the_servers_failure() -> None:
    error, _, server = await failure_of(hanging_up, attempts=2)
    assert error.kind == "server"
    assert len(server.requests) == 2


@async_test
async def test_silence_behind_the_role_brings_no_content_and_leaving_closes_the_socket() -> None:
    async with FakeBrainServer(streaming_then_silent(ROLE)) as server:
        brain = brain_at(server.base_url)
        got: list[BrainEvent] = []

        async def listen() -> None:
            got.extend([event async for event in brain.reply(question())])

        listening = asyncio.create_task(listen())
        asked = await server.request(1)
        listening.cancel()
        async with asyncio.timeout(10):
            await asked.gone.wait()
        with pytest.raises(asyncio.CancelledError):
            await listening
        await brain.close()
    assert got == []


@async_test
async def test_leaving_before_the_first_header_closes_the_socket() -> None:
    async with FakeBrainServer(silent) as server:
        brain = brain_at(server.base_url)
        reply = brain.reply(question())
        first = asyncio.ensure_future(anext(reply))
        asked = await server.request(1)
        first.cancel()
        async with asyncio.timeout(10):
            await asked.gone.wait()
        await asyncio.gather(first, return_exceptions=True)
        await reply.aclose()
        await brain.close()


@async_test
async def test_closing_the_reply_between_two_words_closes_the_socket() -> None:
    async with FakeBrainServer(streaming_then_silent(delta("Once upon"), delta(" a time"))) as server:
        brain = brain_at(server.base_url)
        reply = brain.reply(question())
        await anext(reply)
        await reply.aclose()
        async with asyncio.timeout(10):
            await server.requests[0].gone.wait()
        await brain.close()


@async_test
async def test_an_abandoned_reply_does_not_disturb_the_next() -> None:
    async with FakeBrainServer(streaming_then_silent(delta("Once")), streaming(delta("Four."), DONE)) as server:
        brain = brain_at(server.base_url)
        reply = brain.reply(question())
        await anext(reply)
        await reply.aclose()
        assert text_of(await whole_reply(brain)) == "Four."
        await brain.close()


@async_test
async def test_a_connection_that_breaks_in_the_middle_leaves_what_was_whole() -> None:
    error, text, _ = await failure_of(streaming_then_breaking(delta("It is four."), delta(" In")))
    assert error.kind == "server"
    assert text == "It is four. In"


@async_test
async def test_an_error_object_in_the_stream_is_the_servers_failure() -> None:
    error, text, _ = await failure_of(streaming(delta("It is"), data({"error": {"message": "secret words"}})))
    assert error.kind == "server"
    assert text == "It is"
    assert "secret words" not in error.message


@async_test
async def test_an_event_that_is_not_json_ends_the_reply() -> None:
    error, text, _ = await failure_of(streaming(delta("It is"), b'data: {"choices": [\n\n', delta(" four.")))
    assert error.kind == "protocol"
    assert text == "It is"


@async_test
async def test_an_endless_line_is_given_up_with_bounded_memory() -> None:
    error, _, _ = await failure_of(endless(b"x" * 65536))
    assert error.kind == "protocol"


@async_test
async def test_endless_speech_is_cut_and_left() -> None:
    async with FakeBrainServer(endless(delta("bla "))) as server:
        brain = brain_at(server.base_url, max_reply_chars=1000)
        events = await whole_reply(brain)
        async with asyncio.timeout(10):
            await server.requests[0].gone.wait()
        await brain.close()
    assert len(text_of(events)) == 1000
    assert reason_of(events) == "max_chars"


@async_test
async def test_the_total_limit_ends_a_reply_that_stalls() -> None:
    error, text, _ = await failure_of(streaming_then_silent(delta("It is")), total_timeout_s=0.2)
    assert error.kind == "timeout"
    assert text == "It is"


@async_test
async def test_nothing_but_reasoning_is_a_failure_that_names_the_cure() -> None:
    error, text, _ = await failure_of(streaming(delta("<think>hmm"), delta(finish="length"), DONE))
    assert error.kind == "protocol"
    assert "max_reply_tokens" in error.message
    assert text == ""


@async_test
async def test_an_empty_reply_is_a_failure_not_dead_air() -> None:
    error, _, _ = await failure_of(streaming(ROLE, delta(finish="stop"), DONE))
    assert error.kind == "protocol"


@async_test
async def test_a_tool_call_that_cannot_be_read_is_left_out_and_the_words_stand() -> None:
    broken = delta(tool_calls=[{"index": 0, "id": "c", "function": {"name": "end_call", "arguments": '{"a'}}])
    async with FakeBrainServer(streaming(delta("Bye!"), broken, delta(finish="tool_calls"), DONE)) as server:
        brain = brain_at(server.base_url)
        events = await whole_reply(brain)
        await brain.close()
    assert text_of(events) == "Bye!"
    assert calls_of(events) == []


@async_test
async def test_a_closed_brain_answers_no_more() -> None:
    async with FakeBrainServer(streaming(delta("Four."), DONE)) as server:
        brain = brain_at(server.base_url)
        await brain.close()
        with pytest.raises(BrainError) as caught:
            await whole_reply(brain)
    assert caught.value.kind == "cancelled"
