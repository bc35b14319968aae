"""Four real processes, a real telephone protocol, a brain over HTTP: one call, and what it leaves in the trace."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.asyncs import async_test
from tests.process.recordings import speak
from toolbox.demo.live import CallLogReader
from toolbox.demo.report import turns_of
from toolbox.demo.stage import CALLER, PARLEY, Stage, stage
from toolbox.demo_brain import STORY
from toolbox.otlp import Span, Trace, traces_of
from toolbox.phone import Call, Spoken

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

# A guard against hanging, not a measure.
PATIENCE_S = 30.0
STORY_WORDS = STORY.split()


async def say(call: Call, text: str) -> Spoken:
    """Speak a line and wait until the agent is heard after it."""
    async with asyncio.timeout(PATIENCE_S):
        spoken = await (await speak(call, text)).finished()
        await call.hears(after=spoken.speech_ended_at)
        return spoken


async def polite(call: Call) -> None:
    """Wait until the agent has finished."""
    async with asyncio.timeout(PATIENCE_S):
        await call.hears()
        await call.hears_silence(0.7)


def turn_traces(house: Stage) -> list[Trace]:
    """The traces that have a turn as their root."""
    return [trace for trace in traces_of(house.collector.spans) if trace.named("turn")]


def outcomes(trace: Trace) -> list[object]:
    """The turn's outcome attribute."""
    return [span.attributes.get("voice.turn.outcome") for span in trace.named("turn")]


def status_of(spans: list[Span]) -> set[str]:
    """Status codes of spans."""
    return {span.status for span in spans}


@async_test
async def test_one_turn_is_one_trace_through_all_four_services(tmp_path: Path) -> None:
    async with stage(tmp_path) as house, house.phone.call(to=PARLEY, from_=CALLER) as call:
        async with asyncio.timeout(PATIENCE_S):
            await call.hears()
            await call.hears_silence(0.7)
        await say(call, "what time is it")
        async with asyncio.timeout(PATIENCE_S):
            await call.hears_silence(0.7)
    answered = [trace for trace in turn_traces(house) if "completed" in outcomes(trace)]
    assert len(answered) == 1, [(outcomes(trace), trace.edges()) for trace in turn_traces(house)]
    (turn,) = answered
    assert turn.services == {"parley-gateway", "parley-orchestrator", "parley-stt", "parley-tts"}
    orchestrator, edges = "parley-orchestrator", turn.edges()
    recognise, synthesise = "parley.stt.v1.SpeechToText/Recognize", "parley.tts.v1.TextToSpeech/Synthesize"
    expected = {
        (f"{orchestrator}:turn", f"{orchestrator}:{recognise}"),
        (f"{orchestrator}:{recognise}", f"parley-stt:{recognise}"),
        (f"parley-stt:{recognise}", "parley-stt:stt.decode"),
        (f"{orchestrator}:turn", f"{orchestrator}:endpointing"),
        (f"{orchestrator}:turn", f"{orchestrator}:response"),
        (f"{orchestrator}:turn", f"{orchestrator}:chat parley-demo"),
        (f"{orchestrator}:turn", f"{orchestrator}:{synthesise}"),
        (f"{orchestrator}:{synthesise}", f"parley-tts:{synthesise}"),
        (f"parley-tts:{synthesise}", "parley-tts:tts.segment"),
        (f"{orchestrator}:turn", "parley-gateway:playback"),
    }
    assert expected <= edges, f"missing {expected - edges}; there are {edges}"
    assert "ERROR" not in status_of(turn.spans)
    root = turn.root
    assert root is not None
    assert root.name == "turn"
    setups = [trace.trace_id for trace in traces_of(house.collector.spans) if trace.named("call.setup")]
    assert set(root.links) <= set(setups)
    assert root.links, "the turn's trace is linked to the call's set-up"
    assert all("voice.call.id" in span.attributes for span in turn.spans), [
        (span.service, span.name) for span in turn.spans if "voice.call.id" not in span.attributes
    ]
    # Nothing that was said, and no number, is anywhere in the trace.
    everything = repr(turn.spans).lower()
    for private in ("what time is it", CALLER, PARLEY):
        assert private not in everything


@async_test
async def test_an_interruption_silences_everything_at_once_and_history_keeps_what_was_heard(tmp_path: Path) -> None:
    async with stage(tmp_path) as house, house.phone.call(to=PARLEY, from_=CALLER) as call:
        async with asyncio.timeout(PATIENCE_S):
            await call.hears()
            await call.hears_silence(0.7)
        await say(call, "tell me a long story")
        await asyncio.sleep(3.0)  # the caller listens a while
        story = house.brain.requests[-1]
        assert story.intent == "story"
        spoken = await speak(call, "stop please")
        async with asyncio.timeout(PATIENCE_S):
            await spoken.finished()
            await story.closed()
            await house.brain.requests.wait_for(2)
            await call.hears(after=spoken.speech_ended_at)
            await call.hears_silence(0.7)
        cleared_at = call.heard.first_clear(after=spoken.speech_started_at)
        assert cleared_at is not None
        arrivals = [arrival.at for arrival in call.heard.media]
        next_request = house.brain.requests[-1]
    reader = CallLogReader(tmp_path / "calls")
    entries = reader.read()
    # The model's server saw its request closed, and was not asked to finish the story.
    assert story.cancelled
    assert story.words_sent < len(STORY_WORDS), "the story was not written to its end"
    # Nothing of the story left the gateway between the clear and the answer to the interruption.
    replies = [entry for entry in entries if entry["kind"] == "playout"]
    assert [reply["what"] for reply in replies].count("reply") >= 2
    answered_at = spoken.speech_ended_at
    assert [at for at in arrivals if cleared_at < at < answered_at] == []
    told, stopped = [turn for turn in turns_of(entries) if turn.heard]
    assert told.outcome == "interrupted"
    assert stopped.outcome == "completed"
    assert 0 < told.heard_length < told.said_length
    # What the model is told next holds the part of the story that was heard, and no more.
    assistant = [message["content"] for message in next_request.messages if message["role"] == "assistant"]
    kept = assistant[-1]
    assert 0 < len(kept) <= told.heard_length + 40
    cancelled = [
        span
        for trace in turn_traces(house)
        for span in trace.spans
        if span.name.endswith("Synthesize") and span.attributes.get("rpc.response.status_code") in ("CANCELLED", 1)
    ]
    assert {span.service for span in cancelled} == {"parley-orchestrator", "parley-tts"}
    interrupted = [trace for trace in turn_traces(house) if "interrupted" in outcomes(trace)]
    assert len(interrupted) == 1
    assert status_of(interrupted[0].named("turn")) <= {"UNSET", "OK"}, "an interruption is an outcome, not an error"
