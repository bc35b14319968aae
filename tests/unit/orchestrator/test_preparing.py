"""Prompts are spoken before anybody calls, as wording that the voice may keep; replies never are."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator import preparing
from orchestrator.preparing import prepare_in_advance
from orchestrator.session import voice_for
from orchestrator.settings import OrchestratorSettings
from orchestrator.wording import texts_of
from parley.conversation.v1 import conversation_pb2 as conv
from servicekit.audio import MULAW_8K
from tests.asyncs import async_test
from tests.fakes.orchestrator_brain import FakeBrain
from tests.fakes.orchestrator_gateway import Conversations, conversations
from tests.fakes.orchestrator_stt import FakeStt


def said(service: Conversations) -> list[str]:
    return [" ".join(rpc.texts.values()) for rpc in service.tts.rpcs]


@async_test
async def test_every_prompt_is_spoken_once_and_may_be_kept() -> None:
    settings = OrchestratorSettings.model_validate({"prompts": {"apology": "Oh dear, that went wrong."}})
    async with conversations(FakeBrain(), FakeStt([""]), settings=settings) as service:
        await prepare_in_advance(service.services, service.slots)
        texts = texts_of(settings.prompts, "en").texts
        voice = voice_for(service.services, MULAW_8K, "en")
        assert all(service.services.prompts.kept(text, voice) for text in texts)
        assert "Oh dear, that went wrong." in texts
        assert all(rpc.keep for rpc in service.tts.rpcs)
        spoken = len(service.tts.rpcs)
        await prepare_in_advance(service.services, service.slots)
        assert len(service.tts.rpcs) == spoken


@async_test
async def test_a_greeting_that_nobody_hears_is_not_spoken() -> None:
    settings = OrchestratorSettings.model_validate({"prompts": {"greeting": ""}})
    async with conversations(FakeBrain(), FakeStt([""]), settings=settings) as service:
        await prepare_in_advance(service.services, service.slots)
        assert not any("How can I help you" in text for text in said(service))


@async_test
async def test_it_waits_until_no_call_is_live() -> None:
    async with conversations(FakeBrain(), FakeStt([""])) as service:
        lease = service.slots.take()
        assert lease is not None
        task = asyncio.create_task(prepare_in_advance(service.services, service.slots))
        for _ in range(20):
            await asyncio.sleep(0)
        assert service.tts.rpcs == []
        lease.release()
        await task
        assert service.tts.rpcs


@async_test
async def test_a_voice_that_is_not_up_yet_is_waited_for_and_one_that_never_comes_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(preparing, "_FIRST_PAUSE_S", 0.0)
    async with conversations(FakeBrain(), FakeStt([""])) as service:
        service.tts.fail = True
        await prepare_in_advance(service.services, service.slots)
        assert not any(rpc.texts for rpc in service.tts.rpcs)
        service.tts.fail = False
        await prepare_in_advance(service.services, service.slots)
        assert any("help" in text for text in said(service))


@async_test
async def test_a_reply_is_private_speech() -> None:
    async with conversations(FakeBrain(), FakeStt(["what time is it"])) as service, service.call() as call:
        await call.answer_greeting()
        await call.ask()
        await call.turn(1, conv.TURN_STATE_ENDED)
        await call.hang_up()
        replies = [rpc for rpc in service.tts.rpcs if "It is noon." in rpc.texts.values()]
        assert replies
        assert not any(rpc.keep for rpc in replies)
