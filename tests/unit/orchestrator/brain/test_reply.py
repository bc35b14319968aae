"""A reply of an endpoint that behaves, in the many ways endpoints do."""

from __future__ import annotations

import asyncio
import json

from orchestrator.brain import BrainRequest, Message, TextDelta, ToolCall
from tests.asyncs import async_test
from tests.fakes.brain_servers import DONE, ROLE, FakeBrainServer, data, delta, streaming, streaming_then_silent, whole
from tests.unit.orchestrator.brain.asking import END_CALL, brain_at, calls_of, question, reason_of, text_of, whole_reply


@async_test
async def test_text_comes_piece_by_piece_and_ends_with_the_reason() -> None:
    async with FakeBrainServer(streaming(ROLE, delta("It is"), delta(" four."), delta(finish="stop"), DONE)) as server:
        brain = brain_at(server.base_url)
        events = await whole_reply(brain)
        await brain.close()
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["It is", " four."]
    assert reason_of(events) == "stop"


@async_test
async def test_the_connection_is_used_again_after_a_whole_reply() -> None:
    async with FakeBrainServer(streaming(delta("Yes."), delta(finish="stop"), DONE)) as server:
        brain = brain_at(server.base_url)
        await whole_reply(brain)
        await whole_reply(brain)
        await brain.close()
    assert len(server.requests) == 2
    assert server.connections == 1


@async_test
async def test_reasoning_in_a_field_of_its_own_is_never_text() -> None:
    events_sent = (
        delta(reasoning_content="The caller wants"),
        delta(reasoning="the time."),
        delta("It is four."),
        delta(finish="stop"),
        DONE,
    )
    async with FakeBrainServer(streaming(*events_sent)) as server:
        brain = brain_at(server.base_url)
        events = await whole_reply(brain)
        await brain.close()
    assert text_of(events) == "It is four."


@async_test
async def test_reasoning_between_tags_is_never_text_and_no_first_content() -> None:
    async with FakeBrainServer(
        streaming(delta("<thi"), delta("nk>hm"), delta("m</th"), delta("ink>\n\n"), delta("Four."), DONE)
    ) as server:
        brain = brain_at(server.base_url)
        events = await whole_reply(brain)
        await brain.close()
    assert events[0] == TextDelta("Four.")
    assert text_of(events) == "Four."


@async_test
async def test_reasoning_opened_by_the_template_is_dropped_where_the_settings_say_so() -> None:
    async with FakeBrainServer(streaming(delta("hm, four</think>Four."), DONE)) as server:
        brain = brain_at(server.base_url, reasoning_open=True)
        events = await whole_reply(brain)
        await brain.close()
    assert text_of(events) == "Four."


@async_test
async def test_a_tool_call_is_put_together_and_comes_before_the_end() -> None:
    def piece(arguments: str, **more: object) -> bytes:
        return delta(tool_calls=[{"index": 0, "function": {"arguments": arguments, **more}, "id": "call_9"}])

    async with FakeBrainServer(
        streaming(delta("Bye!"), piece('{"a', name="end_call"), piece('": 1}'), delta(finish="tool_calls"), DONE)
    ) as server:
        brain = brain_at(server.base_url)
        events = await whole_reply(brain, question("bye", tools=(END_CALL,)))
        await brain.close()
    assert calls_of(events) == [ToolCall("call_9", "end_call", {"a": 1})]
    assert reason_of(events) == "tool_calls"
    tool = server.requests[0].body["tools"][0]
    assert tool["function"]["name"] == "end_call"
    assert tool["function"]["parameters"]["type"] == "object"


@async_test
async def test_an_endpoint_that_does_not_stream_is_understood_too() -> None:
    answer = {"choices": [{"message": {"content": "Four."}, "finish_reason": "stop"}]}
    async with FakeBrainServer(whole(answer)) as server:
        brain = brain_at(server.base_url)
        events = await whole_reply(brain)
        await brain.close()
    assert text_of(events) == "Four."
    assert reason_of(events) == "stop"


@async_test
async def test_an_end_announced_without_a_reason_or_not_at_all_is_an_end() -> None:
    async with FakeBrainServer(streaming(delta("One."), DONE), streaming(delta("Two."))) as server:
        brain = brain_at(server.base_url)
        announced = await whole_reply(brain)
        unannounced = await whole_reply(brain)
        await brain.close()
    assert (text_of(announced), reason_of(announced)) == ("One.", "stop")
    assert (text_of(unannounced), reason_of(unannounced)) == ("Two.", "incomplete")


@async_test
async def test_the_end_does_not_wait_for_an_endpoint_that_dawdles_behind_its_last_word() -> None:
    async with FakeBrainServer(streaming_then_silent(delta("Four."), delta(finish="stop"))) as server:
        brain = brain_at(server.base_url)
        events = await whole_reply(brain)
        async with asyncio.timeout(10):
            await server.requests[0].gone.wait()
        await brain.close()
    assert reason_of(events) == "stop"


@async_test
async def test_half_characters_are_replaced_because_no_message_could_carry_them() -> None:
    async with FakeBrainServer(streaming(b'data: {"choices":[{"delta":{"content":"a\\ud83db"}}]}\n\n', DONE)) as server:
        brain = brain_at(server.base_url)
        events = await whole_reply(brain)
        await brain.close()
    assert text_of(events) == "a\ufffdb"


@async_test
async def test_history_tools_and_limits_are_sent_as_the_format_wants_them() -> None:
    messages = (
        Message("user", "Hang up"),
        Message("assistant", "", tool_calls=(ToolCall("c1", "end_call", {}),)),
        Message("tool", "done", tool_call_id="c1"),
        Message("user", "Still there?"),
    )
    async with FakeBrainServer(streaming(delta("Yes."), DONE)) as server:
        brain = brain_at(server.base_url, system_prompt="Be brief.", max_reply_tokens=99, temperature=0.5, api_key="k")
        await whole_reply(brain, BrainRequest(messages, "call-1", 2))
        await brain.close()
    request = server.requests[0]
    assert [message["role"] for message in request.body["messages"]] == ["system", "user", "assistant", "tool", "user"]
    assert request.body["messages"][0]["content"] == "Be brief."
    assert json.loads(request.body["messages"][2]["tool_calls"][0]["function"]["arguments"]) == {}
    assert request.body["messages"][3]["tool_call_id"] == "c1"
    assert request.body["stream"] is True
    assert request.body["max_tokens"] == 99
    assert request.body["temperature"] == 0.5
    assert request.headers["authorization"] == "Bearer k"
    assert "user" not in request.body


@async_test
async def test_a_reply_is_cut_at_the_longest_allowed_and_the_endpoint_is_left() -> None:
    async with FakeBrainServer(streaming_then_silent(delta("abcde"), delta("fghij"), delta("klm"))) as server:
        brain = brain_at(server.base_url, max_reply_chars=8)
        events = await whole_reply(brain)
        async with asyncio.timeout(10):
            await server.requests[0].gone.wait()
        await brain.close()
    assert text_of(events) == "abcdefgh"
    assert reason_of(events) == "max_chars"


@async_test
async def test_only_the_first_choice_and_known_shapes_count() -> None:
    strange = [
        data([1, 2]),
        data(7),
        data({"choices": None}),
        data({"choices": []}),
        data({"choices": ["x"]}),
        data({"choices": [{"delta": None}]}),
        data({"choices": [{"delta": {"content": {"no": "text"}, "tool_calls": "x"}}]}),
        data({"usage": {"prompt_tokens": "many"}}),
        b": a comment\n\nevent: ping\nid: 3\nnonsense\n\n",
    ]
    async with FakeBrainServer(streaming(*strange, delta([{"type": "text", "text": "Four."}]), DONE)) as server:  # type: ignore[arg-type]
        brain = brain_at(server.base_url)
        events = await whole_reply(brain)
        await brain.close()
    assert text_of(events) == "Four."
