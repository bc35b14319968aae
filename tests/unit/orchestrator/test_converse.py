"""The Conversation service over real gRPC, with fake recogniser, voice and brain."""

from __future__ import annotations

import asyncio
import time

import pytest

from orchestrator.brain import BrainError, ToolCall
from orchestrator.settings import OrchestratorSettings
from parley.conversation.v1 import conversation_pb2 as conv
from tests.asyncs import async_test
from tests.fakes.orchestrator_brain import FakeBrain
from tests.fakes.orchestrator_gateway import PATIENCE_S, conversations, start_of
from tests.fakes.orchestrator_stt import FakeStt


@async_test
async def test_a_question_is_heard_answered_and_completed() -> None:
    brain = FakeBrain(("It is ", "noon."))
    async with conversations(brain, FakeStt(["what time is it"])) as service, service.call() as call:
        await call.until(lambda e: e.mark.last)  # the greeting
        await call.be_silent(500)
        await call.say(800)
        await call.be_silent(400)
        ended = await call.turn(1, conv.TURN_STATE_ENDED)
        await call.hang_up()
        assert ended.outcome == conv.TURN_OUTCOME_COMPLETED
        assert call.spoken() == "Hello! How can I help you? It is noon."
        assert [m.content for m in brain.requests[0].messages] == ["Hello! How can I help you?", "what time is it"]
        assert ended.heard_length == ended.said_length == len("It is noon.")
        assert call.events[-1].end.reason == conv.END_REASON_CALLER_HUNG_UP


LONG = "Once upon a time there was a fox who lived in a wood. Every day the fox went to the river to drink. "


@async_test
async def test_a_word_spoken_over_the_reply_silences_and_cancels_it_everywhere() -> None:
    never = asyncio.Event()
    brain = FakeBrain((LONG, never), ("All right.",))
    stt = FakeStt(["tell me a story", "stop please"], partial_after_bytes=4800)
    async with conversations(brain, stt) as service, service.call(plays=False) as call:
        await call.answer_greeting()
        await call.ask()
        first = await call.until(lambda e: e.playout.turn_id == 1)
        playout_id = first.playout.playout_id
        mark = await call.until(lambda e: e.mark.playout_id == playout_id and e.mark.position.ToMilliseconds() == 800)
        await call.played(mark.mark)
        await call.say(700)
        clear = await call.until(lambda e: e.HasField("clear"))
        assert clear.clear.through_playout_id == first.playout.playout_id
        await call.cleared(first.playout.playout_id, 1250)  # 25 characters
        ended = await call.turn(1, conv.TURN_STATE_ENDED)
        assert ended.outcome == conv.TURN_OUTCOME_INTERRUPTED
        async with asyncio.timeout(PATIENCE_S):
            await service.tts.idle.wait()
        assert service.tts.rpcs[-1].cancelled
        assert (brain.live, brain.closed) == (0, 1)
        call.plays = True
        await call.be_silent(400)
        await call.turn(2, conv.TURN_STATE_ENDED)
        await call.hang_up()
        assert call.stale == []
        told = [m.content for m in brain.requests[1].messages]
        assert told[-3:] == ["tell me a story", "Once upon a time there —", "stop please"]


@async_test
async def test_noise_over_the_reply_pauses_it_and_the_rest_is_said_from_the_word_that_was_cut() -> None:
    brain = FakeBrain((LONG,))
    stt = FakeStt(["tell me a story", ""])
    async with conversations(brain, stt) as service, service.call(plays=False) as call:
        await call.answer_greeting()
        await call.ask()
        first = await call.until(lambda e: e.playout.turn_id == 1)
        playout_id = first.playout.playout_id
        mark = await call.until(lambda e: e.mark.playout_id == playout_id and e.mark.position.ToMilliseconds() == 1200)
        await call.played(mark.mark)
        await call.say(200)
        await call.until(lambda e: e.HasField("clear"))
        await call.cleared(playout_id, 1200)
        call.plays = True
        await call.be_silent(800)
        tail = (await call.until(lambda e: e.playout.continues_playout_id == playout_id)).playout
        assert tail.kind == conv.PLAYOUT_KIND_RESUMED_TAIL
        # 1200 ms are 24 characters: "Once upon a time there w|as a fox"
        assert LONG[tail.text_offset :].startswith("was a fox")
        ended = await call.turn(1, conv.TURN_STATE_ENDED)
        noise = await call.turn(2, conv.TURN_STATE_ENDED)
        await call.hang_up()
        assert ended.outcome == conv.TURN_OUTCOME_COMPLETED
        assert noise.outcome == conv.TURN_OUTCOME_DISCARDED
        assert len(brain.requests) == 1
        assert call.stale == []


@async_test
async def test_a_caller_who_goes_on_is_answered_once_for_all_they_said() -> None:
    never = asyncio.Event()
    brain = FakeBrain((never,), ("For two, then.",))
    stt = FakeStt(["i would like a table", "for two please"], partial_after_bytes=4800)
    async with conversations(brain, stt) as service, service.call() as call:
        await call.answer_greeting()
        await call.ask()
        await call.turn(1, conv.TURN_STATE_COMMITTED)
        await call.ask()
        ended = await call.turn(2, conv.TURN_STATE_ENDED)
        await call.hang_up()
        first = await call.turn(1, conv.TURN_STATE_ENDED)
        assert first.outcome == conv.TURN_OUTCOME_DISCARDED
        assert (ended.outcome, ended.joins) == (conv.TURN_OUTCOME_COMPLETED, 1)
        told = [m.content for m in brain.requests[1].messages if m.role == "user"]
        assert told == ["i would like a table for two please"]
        assert brain.closed == 1


@async_test
async def test_the_greeting_can_be_interrupted() -> None:
    brain = FakeBrain()
    stt = FakeStt(["what time is it"], partial_after_bytes=4800)
    async with conversations(brain, stt) as service, service.call(plays=False) as call:
        mark = await call.until(lambda e: e.mark.mark >= 2)
        await call.played(mark.mark)
        await call.be_silent(320)
        call.plays_from = 2  # the greeting is not heard to its end
        await call.ask()
        clear = await call.until(lambda e: e.HasField("clear"))
        ended = await call.turn(1, conv.TURN_STATE_ENDED)
        await call.hang_up()
        assert clear.clear.through_playout_id == 1
        assert ended.outcome == conv.TURN_OUTCOME_COMPLETED
        assert brain.requests[0].messages[0].content.startswith("Hello!")


@async_test
async def test_a_farewell_hangs_up_once_it_was_heard() -> None:
    brain = FakeBrain(("Goodbye!", ToolCall("t1", "end_call", {})))
    async with conversations(brain, FakeStt(["goodbye"])) as service, service.call() as call:
        await call.answer_greeting()
        await call.ask()
        control = (await call.until(lambda e: e.HasField("call_control"))).call_control
        playout = (await call.until(lambda e: e.playout.turn_id == 1)).playout
        heard = next(i for i, e in enumerate(call.events) if e.turn.state == conv.TURN_STATE_ENDED)
        assert control.WhichOneof("action") == "hang_up"
        assert control.after_playout_id == playout.playout_id
        assert heard < call.kinds().index("call_control")
        await call.hang_up(conv.END_REASON_AGENT_HUNG_UP)
        assert call.events[-1].end.reason == conv.END_REASON_AGENT_HUNG_UP


@pytest.mark.parametrize("stage", ["greeting", "listening", "thinking", "speaking"])
def test_hanging_up_at_any_stage_leaves_no_work_behind(stage: str) -> None:
    @async_test
    async def scenario() -> None:
        never = asyncio.Event()
        brain = FakeBrain((never,)) if stage == "thinking" else FakeBrain((LONG, never))
        stt = FakeStt(["tell me a story"])
        async with conversations(brain, stt) as service, service.call(plays=False) as call:
            await call.until(lambda e: e.mark.last)
            if stage != "greeting":
                call.plays = True
                await call.play_all()
                await (call.say(600) if stage == "listening" else call.ask())
                state = conv.TURN_STATE_LISTENING if stage == "listening" else conv.TURN_STATE_COMMITTED
                await call.turn(1, state)
            if stage == "speaking":
                await call.turn(1, conv.TURN_STATE_SPEAKING)
            await call.hang_up()
            async with asyncio.timeout(PATIENCE_S):
                await service.slots.wait_idle()
                await service.tts.idle.wait()
                await service.stt.idle.wait()
            assert brain.live == 0
            ended = [e.turn for e in call.events if e.turn.state == conv.TURN_STATE_ENDED]
            assert len(ended) == (0 if stage == "greeting" else 1)

    scenario()


@async_test
async def test_a_gateway_that_dies_leaves_no_work_behind() -> None:
    never = asyncio.Event()
    brain = FakeBrain((LONG, never))
    async with conversations(brain, FakeStt(["tell me a story"])) as service:
        async with service.call() as call:
            await call.answer_greeting()
            await call.ask()
            await call.turn(1, conv.TURN_STATE_SPEAKING)
        async with asyncio.timeout(PATIENCE_S):
            await service.slots.wait_idle()
            await service.tts.idle.wait()
        assert (brain.live, brain.closed) == (0, 1)


@async_test
async def test_a_recogniser_that_dies_is_replaced_without_losing_a_sound() -> None:
    stt = FakeStt(["what time is it"])
    async with conversations(FakeBrain(), stt) as service, service.call() as call:
        await call.answer_greeting()
        stt.failures = 1
        await call.ask()
        ended = await call.turn(1, conv.TURN_STATE_ENDED)
        await call.hang_up()
        assert ended.outcome == conv.TURN_OUTCOME_COMPLETED
        first, second = stt.utterances
        assert not first.finished
        assert second.finished
        assert bytes(second.audio).startswith(bytes(first.audio))
        assert len(second.audio) >= 8 * 1100


@async_test
async def test_a_brain_that_fails_is_apologised_for_and_the_call_goes_on() -> None:
    brain = FakeBrain((BrainError("refused", "connection refused"),), ("It is noon.",))
    async with conversations(brain, FakeStt(["what time is it"])) as service, service.call() as call:
        await call.answer_greeting()
        await call.ask()
        failed = await call.turn(1, conv.TURN_STATE_ENDED)
        await call.ask()
        ended = await call.turn(2, conv.TURN_STATE_ENDED)
        await call.hang_up()
        assert failed.outcome == conv.TURN_OUTCOME_ERROR
        assert ended.outcome == conv.TURN_OUTCOME_COMPLETED
        assert "something went wrong" in call.spoken()
        assert [e.notice.code for e in call.events if e.HasField("notice")] == ["BRAIN_FAILED"]


@async_test
async def test_a_voice_that_fails_ends_the_turn_as_an_error_and_the_call_goes_on() -> None:
    async with conversations(FakeBrain(), FakeStt(["what time is it"])) as service, service.call() as call:
        await call.answer_greeting()
        service.tts.fail = True
        await call.ask()
        failed = await call.turn(1, conv.TURN_STATE_ENDED)
        service.tts.fail = False
        await call.ask()
        ended = await call.turn(2, conv.TURN_STATE_ENDED)
        await call.hang_up()
        assert failed.outcome == conv.TURN_OUTCOME_ERROR
        assert ended.outcome == conv.TURN_OUTCOME_COMPLETED


@async_test
async def test_sound_that_came_while_the_process_was_held_up_is_heard_before_anything_is_decided() -> None:
    stt = FakeStt(["what is seven plus five"])
    async with conversations(FakeBrain(), stt) as service, service.call() as call:
        await call.answer_greeting()
        await call.say(800)
        await call.be_silent(160)
        sending = [asyncio.create_task(call.say(400))]
        await asyncio.sleep(0)
        time.sleep(1.2)  # noqa: ASYNC251 - longer than a line may stall
        await asyncio.gather(*sending)
        await call.be_silent(400)
        ended = await call.turn(1, conv.TURN_STATE_ENDED)
        await call.hang_up()
        assert ended.outcome == conv.TURN_OUTCOME_COMPLETED
        assert [e.turn.turn_id for e in call.events if e.HasField("turn")][-1] == 1, "it was one utterance"


@async_test
async def test_a_filler_is_heard_while_the_brain_thinks_and_is_no_part_of_the_history() -> None:
    thought = asyncio.Event()
    brain = FakeBrain((thought, "It is noon."), ("You are welcome.",))
    settings = OrchestratorSettings.model_validate({"max_calls": 4, "watchdogs": {"filler_ms": 100}})
    stt = FakeStt(["what time is it", "thank you"])
    async with conversations(brain, stt, settings=settings) as service, service.call() as call:
        await call.answer_greeting()
        await call.ask()
        filler = (await call.until(lambda e: e.playout.kind == conv.PLAYOUT_KIND_FILLER)).playout
        await call.until(lambda e: e.mark.playout_id == filler.playout_id and e.mark.last)
        thought.set()
        ended = await call.turn(1, conv.TURN_STATE_ENDED)
        await call.ask()
        await call.turn(2, conv.TURN_STATE_ENDED)
        await call.hang_up()
        assert filler.turn_id == 1
        assert ended.outcome == conv.TURN_OUTCOME_COMPLETED
        assert ended.heard_length == len("It is noon.")
        assert [m.content for m in brain.requests[1].messages][-3:] == ["what time is it", "It is noon.", "thank you"]
        assert call.stale == []


@async_test
async def test_the_other_brain_answers_when_the_first_gives_nothing() -> None:
    never = asyncio.Event()
    brain, other = FakeBrain((never,)), FakeBrain(("It is about noon.",))
    settings = OrchestratorSettings.model_validate({"max_calls": 4, "watchdogs": {"filler_ms": 0, "fallback_ms": 100}})
    stt = FakeStt(["what time is it"])
    async with conversations(brain, stt, settings=settings, fallback=other) as service, service.call() as call:
        await call.answer_greeting()
        await call.ask()
        ended = await call.turn(1, conv.TURN_STATE_ENDED)
        await call.hang_up()
        assert ended.outcome == conv.TURN_OUTCOME_COMPLETED
        assert call.spoken().endswith("It is about noon.")
        assert (brain.live, brain.closed) == (0, 1)


@async_test
async def test_a_silent_caller_is_asked_and_then_hung_up_on() -> None:
    settings = OrchestratorSettings.model_validate({"max_calls": 4, "idle": {"prompt_after_ms": 1000, "prompts": 1}})
    async with conversations(FakeBrain(), FakeStt([""]), settings=settings) as service, service.call() as call:
        control = (await call.until(lambda e: e.HasField("call_control"))).call_control
        kinds = [e.playout.kind for e in call.events if e.HasField("playout")]
        assert kinds == [conv.PLAYOUT_KIND_GREETING, conv.PLAYOUT_KIND_PROMPT, conv.PLAYOUT_KIND_PROMPT]
        assert control.hang_up.reason == conv.END_REASON_IDLE
        await call.hang_up(conv.END_REASON_IDLE)


@async_test
async def test_a_sign_of_listening_pauses_the_reply_for_a_moment_only() -> None:
    brain = FakeBrain((LONG,))
    stt = FakeStt(["tell me a story", "uh-huh"])
    start = start_of()
    start.capabilities.duck = True
    async with conversations(brain, stt) as service, service.call(start, plays=False) as call:
        await call.answer_greeting()
        await call.ask()
        first = (await call.until(lambda e: e.playout.turn_id == 1)).playout
        mark = await call.until(
            lambda e: e.mark.playout_id == first.playout_id and e.mark.position.ToMilliseconds() == 1200
        )
        await call.played(mark.mark)
        await call.say(200)
        await call.until(lambda e: e.HasField("clear"))
        await call.cleared(first.playout_id, 1200)
        call.plays = True
        await call.be_silent(240)
        tail = (await call.until(lambda e: e.playout.continues_playout_id == first.playout_id)).playout
        await call.be_silent(400)
        ended = await call.turn(1, conv.TURN_STATE_ENDED)
        listening = await call.turn(2, conv.TURN_STATE_ENDED)
        await call.hang_up()
        assert LONG[tail.text_offset :].startswith("was a fox")
        assert ended.outcome == conv.TURN_OUTCOME_COMPLETED
        assert listening.outcome == conv.TURN_OUTCOME_DISCARDED
        assert [e.duck.gain_db for e in call.events if e.HasField("duck")] == [-12.0, 0.0]
        assert call.stale == []


@async_test
async def test_a_caller_who_changes_language_is_answered_in_it() -> None:
    stt = FakeStt(["what time is it", "wie spät ist es", ""])
    stt.languages = ["en", "de"]
    settings = OrchestratorSettings.model_validate({"max_calls": 4, "stt": {"languages": ("en", "de")}})
    async with conversations(FakeBrain(), stt, settings=settings) as service, service.call() as call:
        await call.answer_greeting()
        for turn_id in (1, 2):
            await call.ask()
            await call.turn(turn_id, conv.TURN_STATE_ENDED)
        await call.say(300)
        await call.be_silent(900)
        await call.turn(3, conv.TURN_STATE_ENDED)
        await call.hang_up()
        told = [list(heard.config.languages) for heard in stt.utterances if heard.config is not None]
        assert told[0] == ["en", "de"]
        assert told[2] == ["de", "en"]
        spoken = [e.transcript.language for e in call.events if e.transcript.speaker == conv.SPEAKER_AGENT]
        assert (spoken[0], spoken[-1]) == ("en", "de")
