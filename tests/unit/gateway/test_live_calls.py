"""Whole calls through the real gateway process: how they end, how they survive, what they leave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from gateway.media_time import duration
from parley.conversation.v1 import conversation_pb2 as conv
from servicekit import semconv
from tests.fakes.gateway_orchestrator import FakeOrchestrator
from tests.fakes.gateway_process import ACCOUNT_SID, AUTH_TOKEN, GatewayProcess
from tests.fakes.gateway_world import CALLER, OUR_NUMBER, GatewayWorld, fault
from toolbox.otlp import OtlpCollector, spans_of
from toolbox.phone import SimulatedTwilio

pytestmark = pytest.mark.process

PLAYED, CLEARED = conv.Playback.STATUS_PLAYED, conv.Playback.STATUS_CLEARED


@pytest.fixture(scope="module")
def world() -> Iterator[GatewayWorld]:
    with GatewayWorld() as surroundings:
        yield surroundings


@fault
async def test_the_orchestrator_is_told_what_the_line_can_do(world: GatewayWorld) -> None:
    async with world.call() as call:
        held = await world.talking(call)
        start = held.start
        assert world.orchestrator.prepared[-1] == start.call_id
        assert (start.caller, start.dialled, start.direction) == (CALLER, OUR_NUMBER, conv.DIRECTION_INBOUND)
        can = start.capabilities
        assert (can.marks, can.transfer, can.dtmf_send, can.hold, can.duck) == (True, True, False, False, False)
        assert can.max_playout_ahead.ToMilliseconds() == 1_000
        assert call.sid not in str(start)
        call.press("5")
        assert (await held.expect("dtmf")).digit == "5"
        call.hang_up()


@fault
async def test_the_farewell_is_heard_before_the_agent_hangs_up(world: GatewayWorld) -> None:
    async with world.call() as call:
        held = await world.talking(call)
        order = held.control(after=1, hang_up={"reason": conv.END_REASON_AGENT_HUNG_UP})
        last = held.say(1, 1.0)
        assert (await held.expect("call_control_result")) == conv.CallControlResult(
            id=order, status=conv.CONTROL_STATUS_DONE
        )
        assert (await held.playback_of(last)).status == PLAYED
        assert (await held.expect("end")).reason == conv.END_REASON_AGENT_HUNG_UP
        await call.wait_ended()
        assert len(call.heard.track) >= 8_000
        assert call.verbs[-1].name == "Hangup"


@fault
async def test_a_call_is_transferred_to_a_configured_name_only(world: GatewayWorld) -> None:
    async with world.call() as call:
        held = await world.talking(call)
        held.control(transfer={"target": "+19005550000"})
        held.control(hold={"on": True})
        held.control(send_dtmf={"digits": "1"})
        held.control(take_message={})
        last = held.control(transfer={"target": "front_desk"})
        results = await held.until(lambda: (found := held.of("call_control_result"))[last - 1 :] and found)
        assert [each.status for each in results] == [conv.CONTROL_STATUS_REFUSED] * 4 + [conv.CONTROL_STATUS_DONE]
        assert (await held.expect("end")).reason == conv.END_REASON_TRANSFERRED
        await call.wait_ended()
        assert "Dial" in [verb.name for verb in call.verbs]


@fault
async def test_what_is_said_with_a_transfer_is_heard_before_it(world: GatewayWorld) -> None:
    async with world.call() as call:
        held = await world.talking(call)
        order = held.control(after=1, transfer={"target": "Front_Desk"})
        last = held.say(1, 1.0)
        assert (await held.expect("call_control_result")) == conv.CallControlResult(
            id=order, status=conv.CONTROL_STATUS_DONE
        )
        assert (await held.playback_of(last)).status == PLAYED
        assert (await held.expect("end")).reason == conv.END_REASON_TRANSFERRED
        await call.wait_ended()
        assert len(call.heard.track) >= 8_000
        assert "Dial" in [verb.name for verb in call.verbs]


@fault
async def test_when_the_orchestrator_ends_the_conversation_its_last_words_are_played(world: GatewayWorld) -> None:
    async with world.call() as call:
        held = await world.talking(call)
        held.say(1, 1.0)
        held.end(conv.END_REASON_MAX_DURATION)
        assert await call.wait_ended() == "completed"
        assert len(call.heard.track) >= 8_000
        assert call.verbs[-1].name == "Hangup"


@fault
async def test_row_51_a_conversation_whose_orchestrator_dies_goes_on_with_its_memory(world: GatewayWorld) -> None:
    async with world.call() as call:
        held = await world.talking(call)
        await held.hears(8_000)
        held.send(checkpoint=conv.Checkpoint(seq=1, covers_caller_offset=duration(0.5), last_turn_id=3, state=b"x"))
        mark = held.say(1, 5.0)
        await held.playback_of(2)
        nth = len(world.orchestrator.conversations) + 1
        held.die()
        successor = await world.orchestrator.conversation(nth)
        start = successor.start
        assert start.call_id == held.start.call_id
        assert start.resume.checkpoint.state == b"x"
        assert (start.resume.highest_turn_id, start.resume.highest_playout_id) == (3, 1)
        assert start.resume.highest_mark >= 2
        # What the dead one had sent is not played on, and the successor knows how far it was heard.
        reports = {each.mark: each for each in start.resume.playback}
        assert (reports[1].status, reports[1].last) == (PLAYED, False)
        assert reports[start.resume.highest_mark].status == CLEARED
        assert 400 <= reports[start.resume.highest_mark].position.ToMilliseconds() < 5_000
        assert mark >= start.resume.highest_mark
        # The caller's sound is sent again from where the checkpoint ends, and goes on without a gap.
        await successor.hears(16_000)
        assert successor.audio[0].offset.ToMilliseconds() == 500
        offsets = [piece.offset.ToMilliseconds() for piece in successor.audio]
        assert offsets == list(range(500, 500 + 20 * len(offsets), 20))
        played = await successor.playback_of(successor.say(2, 0.2))
        assert (played.status, played.last) == (PLAYED, True)
        successor.control(after=2, hang_up={})
        await call.wait_ended()


@fault
async def test_an_unreadable_checkpoint_is_left_behind(world: GatewayWorld) -> None:
    async with world.call() as call:
        held = await world.talking(call)
        held.send(checkpoint=conv.Checkpoint(seq=1, state=b"x"))
        await held.playback_of(held.say(1, 0.2))
        world.orchestrator.reads_checkpoints = False
        nth = len(world.orchestrator.conversations) + 1
        held.die()
        successor = await world.orchestrator.conversation(nth)
        assert not successor.start.resume.HasField("checkpoint")
        assert successor.start.resume.highest_playout_id == 1
        call.hang_up()


@fault
async def test_a_server_that_is_busy_for_a_while_is_asked_again(world: GatewayWorld) -> None:
    world.orchestrator.refusals = [
        (grpc.StatusCode.UNAVAILABLE, "DRAINING"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "CAPACITY"),
        (grpc.StatusCode.ALREADY_EXISTS, "CALL_LIVE"),
    ]
    async with world.call() as call:
        held = await world.talking(call)
        await held.hears(1_600)
        call.hang_up()


@fault
async def test_go_away_moves_the_call_when_there_is_room_elsewhere(world: GatewayWorld) -> None:
    async with world.call() as call:
        held = await world.talking(call)
        await held.hears()
        nth = len(world.orchestrator.conversations) + 1
        held.send(go_away=conv.GoAway(within=duration(10), reason="rollout"))
        successor = await world.orchestrator.conversation(nth)
        assert (await held.expect("end")).reason == conv.END_REASON_HANDED_OVER
        assert successor.start.HasField("resume")
        assert (await successor.playback_of(successor.say(1, 0.2))).status == PLAYED
        call.hang_up()


@fault
async def test_a_call_refused_for_good_ends_with_an_apology(world: GatewayWorld) -> None:
    world.orchestrator.refuses = (grpc.StatusCode.INVALID_ARGUMENT, "FORMAT_UNSUPPORTED")
    async with world.call() as call:
        await call.wait_ended()
        world.orchestrator.refuses = None
        assert [verb.name for verb in call.verbs] == ["Connect", "Redirect", "Say", "Hangup"]


@fault
async def test_row_52_a_dropped_line_is_resumed_and_nothing_said_is_lost(world: GatewayWorld) -> None:
    async with world.call() as call:
        held = await world.talking(call)
        last = held.say(1, 2.0)
        await held.playback_of(2)
        assert call.stream.link is not None
        call.stream.link.drop()
        await call.connected(2)
        assert (await held.playback_of(last)).status == PLAYED
        assert not held.gone.is_set()
        call.hang_up()


def test_without_any_orchestrator_the_caller_hears_an_apology() -> None:
    async def scenario() -> None:
        async with FakeOrchestrator() as gone:
            address = gone.address
        with GatewayProcess(address, "gateway.orchestrator.patience_s=2") as gateway:
            async with SimulatedTwilio(ACCOUNT_SID, AUTH_TOKEN, rest_port=None) as phone:
                phone.add_number(OUR_NUMBER, gateway.base + "/voice/webhook")
                async with phone.call(to=OUR_NUMBER, from_=CALLER) as call:
                    await call.wait_ended()
                    assert [verb.name for verb in call.verbs] == ["Connect", "Redirect", "Say", "Hangup"]

    asyncio.run(scenario())


def test_a_call_log_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    async def scenario(world: GatewayWorld) -> str:
        async with world.call() as call:
            held = await world.talking(call)
            held.send(transcript=conv.Transcript(turn_id=1, speaker=conv.SPEAKER_CALLER, text="hello", final=True))
            await held.playback_of(held.say(1, 0.2))
            held.control(hang_up={})
            await call.wait_ended()
            return held.start.call_id

    with GatewayWorld(f"gateway.call_log={tmp_path}") as world:
        call_id = world.run(scenario(world))
        world.gateway.terminate()
        world.gateway.exit_code()
        lines = [json.loads(line) for line in (tmp_path / f"{call_id}.jsonl").read_text().splitlines()]
    assert [line["kind"] for line in lines][:3] == ["start", "transcript", "playout"]
    assert lines[1]["text"] == "hello"


def test_playback_is_a_span_of_the_turns_trace() -> None:
    trace_id, parent_id = "11" * 16, "22" * 8

    async def scenario() -> None:
        async with OtlpCollector() as collector:
            settings = f"telemetry.traces_endpoint={collector.endpoint}"
            async with FakeOrchestrator() as orchestrator:
                with GatewayProcess(orchestrator.address, settings) as gateway:
                    async with SimulatedTwilio(ACCOUNT_SID, AUTH_TOKEN, rest_port=None) as phone:
                        phone.add_number(OUR_NUMBER, gateway.base + "/voice/webhook")
                        async with phone.call(to=OUR_NUMBER, from_=CALLER) as call:
                            held = await orchestrator.conversation()
                            await call.connected()
                            trace = {"traceparent": f"00-{trace_id}-{parent_id}-01"}
                            await held.playback_of(held.say(1, 0.4, trace=trace))
                            held.say(2, 5.0, trace=trace)
                            await held.playback_of(4)
                            held.clear(2)
                            held.control(hang_up={})
                            await call.wait_ended()
                    gateway.terminate()
                    await asyncio.to_thread(gateway.exit_code)
            spans = spans_of(collector.spans)
            setup = [span for span in spans if span.name == semconv.SPAN_CALL_SETUP]
            played = [span for span in spans if span.name == semconv.SPAN_PLAYBACK]
            assert len(setup) == 1
            assert held.start.call_trace.traceparent.split("-")[2] == setup[0].span_id
            assert {(span.trace_id, span.parent_id) for span in played} == {(trace_id, parent_id)}
            outcomes = [span.attributes[semconv.VOICE_TURN_OUTCOME] for span in played]
            assert outcomes == [semconv.OUTCOME_COMPLETED, semconv.OUTCOME_INTERRUPTED]
            events = [[name for name, _, _ in span.events] for span in played]
            assert events[0][0] == semconv.EVENT_FIRST_FRAME_SENT
            assert semconv.EVENT_CLEARED in events[1]
            private = (CALLER, OUR_NUMBER, call.sid)
            assert not any(secret in str(span.attributes) for span in spans for secret in private)

    asyncio.run(scenario())
