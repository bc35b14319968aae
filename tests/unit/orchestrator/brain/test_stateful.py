"""Brains that keep the conversation themselves, such as OpenClaw."""

from __future__ import annotations

from orchestrator.brain import BrainRequest, Message
from tests.asyncs import async_test
from tests.fakes.brain_servers import DONE, FakeBrainServer, delta, streaming
from tests.unit.orchestrator.brain.asking import brain_at, whole_reply

HISTORY = (
    Message("user", "Tell me a story"),
    Message("assistant", "Once upon a"),
    Message("user", "What time is it?"),
)
ASKED = BrainRequest(HISTORY, "call-7", 2, context_line="The caller heard only: Once upon a")


@async_test
async def test_openclaw_gets_the_newest_turn_and_what_was_heard_under_the_calls_session() -> None:
    async with FakeBrainServer(streaming(delta("Four."), DONE)) as server:
        brain = brain_at(server.base_url, preset="openclaw", system_prompt="Be brief.")
        await whole_reply(brain, ASKED)
        await brain.close()
    request = server.requests[0]
    assert request.headers["x-openclaw-session-key"] == "call-7"
    assert [(message["role"], message["content"]) for message in request.body["messages"]] == [
        ("system", "Be brief."),
        ("user", "[The caller heard only: Once upon a]\n\nWhat time is it?"),
    ]
    assert not brain.speculation_safe


@async_test
async def test_without_a_session_header_the_call_is_the_user() -> None:
    async with FakeBrainServer(streaming(delta("Four."), DONE)) as server:
        brain = brain_at(server.base_url, stateful=True)
        await whole_reply(brain, ASKED)
        await brain.close()
    assert server.requests[0].body["user"] == "call-7"


@async_test
async def test_a_stateless_brain_gets_the_history_and_no_context_line() -> None:
    async with FakeBrainServer(streaming(delta("Four."), DONE)) as server:
        brain = brain_at(server.base_url, system_prompt="")
        await whole_reply(brain, ASKED)
        await brain.close()
    assert [message["content"] for message in server.requests[0].body["messages"]] == [
        message.content for message in HISTORY
    ]
