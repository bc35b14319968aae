"""The demo brain over real HTTP, asked by the client that asks real models."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.brain import (
    Brain,
    BrainError,
    BrainRequest,
    BrainSettings,
    Finished,
    Message,
    TextDelta,
    ToolCall,
    ToolSpec,
    open_brain,
)
from orchestrator.speech_text import SpeechChunker, SpeechSegment
from servicekit.telemetry import Telemetry
from tests.asyncs import async_test
from toolbox.demo_brain import STORY, DemoBrain, Pace

AT_ONCE = Pace(0, 0, 0)
END_CALL = ToolSpec("end_call", "Hang up.")


def client(base_url: str, **settings: Any) -> Brain:
    values: dict[str, Any] = {"preset": "openai", "base_url": base_url, "model": "parley-demo", **settings}
    return open_brain(BrainSettings(**values), Telemetry("test"))


def asked(*said: str, tools: tuple[ToolSpec, ...] = (END_CALL,)) -> BrainRequest:
    """A conversation in which user and assistant take turns, the user first."""
    messages = tuple(Message("assistant" if number % 2 else "user", text) for number, text in enumerate(said))
    return BrainRequest(messages, "call-1", 1, tools)


async def spoken(brain: Brain, request: BrainRequest) -> tuple[str, list[object]]:
    text = ""
    rest: list[object] = []
    async for event in brain.reply(request):
        if isinstance(event, TextDelta):
            text += event.text
        else:
            rest.append(event)
    return text, rest


def fetch(url: str, body: object = None, key: str = "") -> tuple[int, dict[str, Any]]:
    """A plain HTTP exchange, blocking: for a thread."""
    request = urllib.request.Request(url, None if body is None else json.dumps(body).encode())
    request.add_header("authorization", f"Bearer {key}")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@async_test
async def test_it_answers_and_tells_which_intent_it_took() -> None:
    async with DemoBrain(pace=AT_ONCE, now=lambda: datetime(2026, 11, 23, 16, 20, tzinfo=UTC)) as demo:
        brain = client(demo.base_url)
        text, rest = await spoken(brain, asked("what time is it"))
        await brain.close()
        record = demo.requests[-1]
        await record.closed()
    assert text == "It is twenty past four in the afternoon."
    assert rest == [Finished("stop")]
    assert record.intent == "time"
    assert not record.cancelled
    assert record.closed_at is not None
    assert record.messages[-1]["content"] == "what time is it"
    assert record.words_sent == 8


@async_test
async def test_a_farewell_is_spoken_and_then_hangs_up() -> None:
    async with DemoBrain(pace=AT_ONCE) as demo:
        brain = client(demo.base_url)
        text, rest = await spoken(brain, asked("thank you goodbye"))
        untooled = await spoken(brain, asked("goodbye", tools=()))
        await brain.close()
    assert text.endswith("Goodbye!")
    assert rest == [ToolCall("call_1", "end_call", {}), Finished("tool_calls")]
    assert untooled[1] == [Finished("stop")], "a tool that was not offered cannot be called"


@async_test
async def test_leaving_in_the_middle_of_the_story_is_noticed_at_once() -> None:
    never = asyncio.Event()

    async def stall_after_five_words(seconds: float) -> None:
        if len(demo.requests) and demo.requests[-1].words_sent >= 5:
            await never.wait()

    demo = DemoBrain(sleep=stall_after_five_words)
    async with demo:
        brain = client(demo.base_url)
        reply = brain.reply(asked("tell me a story"))
        heard = ""
        while STORY.split()[4] not in heard:
            event = await anext(reply)
            assert isinstance(event, TextDelta)
            heard += event.text
        await reply.aclose()
        record = demo.requests[-1]
        async with asyncio.timeout(10):
            await record.closed()
        await brain.close()
    assert record.cancelled
    assert record.words_sent == 5
    assert STORY.startswith(heard)


@async_test
async def test_going_on_continues_from_what_the_history_says_was_heard() -> None:
    heard = STORY[: STORY.index("She could mend")]
    async with DemoBrain(pace=AT_ONCE) as demo:
        brain = client(demo.base_url)
        text, _ = await spoken(brain, asked("tell me a story", heard, "wait", "Okay, I stopped.", "go on"))
        await brain.close()
        assert demo.requests.intents == ["story"]
    assert text.startswith("Where was I? Ah yes. She could mend")
    assert text.endswith("the end of the story.")


@async_test
async def test_a_line_of_context_for_a_stateful_brain_is_not_taken_for_the_callers_words() -> None:
    async with DemoBrain(pace=AT_ONCE) as demo:
        brain = client(demo.base_url, stateful=True, session_header="x-openclaw-session-key")
        request = asked("hello", "Hello", "how are you")
        await spoken(brain, BrainRequest(request.messages, "call-9", 2, context_line="The story was heard to: time"))
        await brain.close()
        assert demo.requests[-1].intent == "small_talk"
        assert demo.requests[-1].headers["x-openclaw-session-key"] == "call-9"


@async_test
async def test_a_wrong_key_is_refused_and_never_logged() -> None:
    async with DemoBrain(pace=AT_ONCE, api_key="right") as demo:
        wrong, right = client(demo.base_url, api_key="wrong"), client(demo.base_url, api_key="right")
        with pytest.raises(BrainError) as caught:
            await spoken(wrong, asked("hello"))
        await spoken(right, asked("hello"))
        await wrong.close()
        await right.close()
        assert caught.value.kind == "auth"
        assert len(demo.requests) == 1
        assert "right" not in repr(demo.requests[-1])


@async_test
async def test_stopping_ends_a_reply_in_progress_and_frees_the_port() -> None:
    never = asyncio.Event()

    async def stall(_: float) -> None:
        await never.wait()

    demo = DemoBrain(sleep=stall)
    base_url = await demo.start()
    brain = client(base_url)
    reply = asyncio.create_task(spoken(brain, asked("tell me a story")))
    await demo.requests.wait_for(1)
    await demo.stop()
    with pytest.raises(BrainError):
        await reply
    await brain.close()
    assert demo.requests[-1].cancelled
    port = int(base_url.rsplit(":", 1)[1].split("/")[0])
    async with DemoBrain(port=port) as again:
        assert str(port) in again.base_url


@async_test
async def test_it_answers_without_streaming_and_lists_its_model() -> None:
    async with DemoBrain(pace=AT_ONCE) as demo:
        chat = f"{demo.base_url}/chat/completions"
        body = {"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "goodbye"}]}]}
        body["tools"] = [{"type": "function", "function": {"name": "end_call"}}]
        code, whole = await asyncio.to_thread(fetch, chat, body)
        assert code == 200
        assert whole["parley_intent"] == "farewell"
        assert whole["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "end_call"
        _, models = await asyncio.to_thread(fetch, f"{demo.base_url}/models")
        assert models["data"][0]["id"] == "parley-demo"


@async_test
async def test_a_malformed_request_gets_an_error_and_the_next_is_answered() -> None:
    async with DemoBrain(pace=AT_ONCE) as demo:
        chat = f"{demo.base_url}/chat/completions"
        no_content: list[object] = [[], {}, {"messages": []}, {"messages": ["x"]}, {"messages": [{}]}]
        malformed = [*no_content, {"messages": "x" * 2_000_000}]
        for wrong in malformed:
            code, body = await asyncio.to_thread(fetch, chat, wrong)
            assert code == 400
            assert body["error"]["type"] == "invalid_request_error"
        code, _ = await asyncio.to_thread(fetch, chat, {"messages": [{"role": "user", "content": "hello"}]})
        assert code == 200


@async_test
async def test_the_log_is_bounded() -> None:
    async with DemoBrain(pace=AT_ONCE) as demo:
        for _ in range(1005):
            await demo.requests.add(intent="time", model="m", messages=(), headers={}, streamed=True, opened_at=0.0)
        assert len(demo.requests) == 1000
        assert demo.requests.total == 1005


@async_test
async def test_a_reply_becomes_speech_whose_heard_part_the_story_goes_on_from() -> None:
    async with DemoBrain(pace=AT_ONCE) as demo:
        brain = client(demo.base_url)
        chunker = SpeechChunker()
        segments: list[SpeechSegment] = []
        async for event in brain.reply(asked("tell me a story")):
            if isinstance(event, TextDelta):
                segments += chunker.push(event.text)
        segments += chunker.finish()
        assert " ".join(segment.spoken for segment in segments) == STORY
        third = segments[2]
        heard = chunker.written[: third.written_offset(10)]
        text, _ = await spoken(brain, asked("tell me a story", heard, "go on"))
        await brain.close()
    assert (heard + text.removeprefix("Where was I? Ah yes. ")).replace(" ", "")[:60] == STORY.replace(" ", "")[:60]


@async_test
async def test_what_it_looks_up_takes_its_time() -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async with DemoBrain(pace=Pace(0, 0, 0, look_up_ms=1700), sleep=sleep) as demo:
        brain = client(demo.base_url)
        text, _ = await spoken(brain, asked("what is the weather"))
        await brain.close()
    assert "no weather report" in text
    assert waits[0] == 1.7
    assert set(waits[1:]) == {0}


TRANSFER = ToolSpec("transfer_call", "Pass the call on.")


@async_test
async def test_it_passes_the_call_on_only_where_it_has_the_tool_for_it() -> None:
    async with DemoBrain(pace=AT_ONCE) as demo:
        brain = client(demo.base_url)
        text, rest = await spoken(brain, asked("put me through to the front desk", tools=(TRANSFER,)))
        without = await spoken(brain, asked("put me through to the front desk"))
        call = ToolCall("c1", "transfer_call", {"target": "nobody"})
        told = (*asked("hello").messages, Message("assistant", "", (call,)))
        refused = Message("tool", "Refused: not on the list.", tool_call_id="c1")
        sorry = await spoken(brain, BrainRequest((*told, refused), "call-1", 1))
        await brain.close()
    assert "put you through" in text
    assert rest == [ToolCall("call_1", "transfer_call", {"target": "front desk"}), Finished("tool_calls")]
    assert without == ("I am sorry, I cannot pass your call on from here.", [Finished("stop")])
    assert sorry[0] == "I am sorry, that is not possible."
