"""Agent audio on its way to the gateway: paced, marked, cleared."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.heard import Range
from orchestrator.outbox import MAX_WAITING, Outbox, OutboxFullError
from orchestrator.playout import PIECE_MS, MarkCounter, Playout, duration_of
from orchestrator.speech_text import SpeechChunker
from orchestrator.spoken import SpokenReply
from parley.conversation.v1 import conversation_pb2 as conv
from servicekit.audio import MULAW_8K
from servicekit.protocol import ConverseOrder
from tests.asyncs import async_test

AHEAD_MS = 1000.0
TEXT = "Once upon a time there was a fox. It lived in a wood near the river."


def reply_of(ms: int, *, whole: bool = True) -> SpokenReply:
    """A reply of one segment that sounds so long."""
    chunker = SpeechChunker("en")
    segment = [*chunker.push("Hello there."), *chunker.finish()][0]
    reply = SpokenReply(MULAW_8K)
    reply.begin_segment(segment)
    reply.add_audio(0, bytes(ms * 8))
    reply.align(0, [Range(0, 5, 0, ms * 4), Range(6, 12, ms * 4, ms * 8)])
    if whole:
        reply.segment_done(0)
        reply.close()
    return reply


class Gateway:
    """Keeps what is written and checks its order."""

    def __init__(self) -> None:
        self.events: list[conv.AgentEvent] = []
        self.order = ConverseOrder()
        self.order.server(conv.AgentEvent(ready=conv.Ready()))
        self.may_write = asyncio.Event()
        self.may_write.set()

    async def write(self, event: conv.AgentEvent) -> None:
        await self.may_write.wait()
        self.order.server(event)
        self.events.append(event)

    def sent_ms(self) -> float:
        return sum(len(e.audio.payload) for e in self.events) / 8.0

    def marks(self) -> list[tuple[int, int, bool]]:
        return [(e.mark.mark, e.mark.position.ToMilliseconds(), e.mark.last) for e in self.events if e.HasField("mark")]


def playout_of(reply: SpokenReply, outbox: Outbox, playout_id: int = 1) -> Playout:
    """That reply as a playout."""
    return Playout(
        playout_id=playout_id,
        kind=conv.PLAYOUT_KIND_REPLY,
        spoken=reply,
        outbox=outbox,
        marks=MarkCounter(),
        ahead_ms=AHEAD_MS,
    )


async def quiet() -> None:
    """Let every task run until all of them wait."""
    for _ in range(200):
        await asyncio.sleep(0)


@async_test
async def test_marks_come_every_200_ms_and_behind_the_last_sound() -> None:
    gateway = Gateway()
    outbox = Outbox(gateway.write)
    playout = playout_of(reply_of(500), outbox)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(outbox.run())
        running = tasks.create_task(playout.run())
        await quiet()
        assert gateway.marks() == [(1, 200, False), (2, 400, False), (3, 500, True)]
        playout.report(500)
        assert await running
        outbox.close()
    assert [e.transcript.text for e in gateway.events if e.HasField("transcript")] == ["Hello there."]


@async_test
async def test_no_more_is_sent_than_the_line_allows_beyond_what_was_reported() -> None:
    gateway = Gateway()
    outbox = Outbox(gateway.write)
    playout = playout_of(reply_of(6000), outbox)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(outbox.run())
        running = tasks.create_task(playout.run())
        reported = 0.0
        while reported < 6000:
            await quiet()
            allowed = min(6000.0, reported + AHEAD_MS + 500.0)
            assert allowed - PIECE_MS < gateway.sent_ms() <= allowed
            reported += 500.0
            playout.report(reported)
        assert await running
        outbox.close()


@async_test
async def test_sound_is_sent_as_soon_as_there_is_some() -> None:
    gateway = Gateway()
    outbox = Outbox(gateway.write)
    reply = reply_of(20, whole=False)
    playout = playout_of(reply, outbox)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(outbox.run())
        running = tasks.create_task(playout.run())
        await quiet()
        assert gateway.sent_ms() == 20
        reply.add_audio(0, bytes(160))
        reply.segment_done(0)
        reply.close()
        await quiet()
        playout.report(40)
        assert await running
        outbox.close()
    assert gateway.marks()[-1] == (1, 40, True)


@async_test
async def test_a_playout_without_sound_is_never_announced() -> None:
    gateway = Gateway()
    outbox = Outbox(gateway.write)
    reply = SpokenReply(MULAW_8K)
    reply.close()
    assert not await playout_of(reply, outbox).run()
    assert not playout_of(reply, outbox).announced
    outbox.close()
    await outbox.run()
    assert gateway.events == []


def audio(playout_id: int, seq: int) -> conv.AgentEvent:
    return conv.AgentEvent(audio=conv.AgentAudio(playout_id=playout_id, seq=seq, payload=b"\xff"))


@async_test
async def test_a_clear_overtakes_what_waits_and_nothing_cleared_is_ever_written() -> None:
    gateway = Gateway()
    outbox = Outbox(gateway.write)
    gateway.may_write.clear()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(outbox.run())
        outbox.put(conv.AgentEvent(playout=conv.Playout(playout_id=1)))
        await quiet()
        for seq in range(1, 50):
            outbox.put(audio(1, seq))
        outbox.put(conv.AgentEvent(turn=conv.Turn(turn_id=1)))
        outbox.clear(1)
        outbox.put(audio(1, 50))
        gateway.may_write.set()
        outbox.close()
    assert [e.WhichOneof("event") for e in gateway.events] == ["playout", "clear", "turn"]


@async_test
async def test_a_gateway_that_does_not_read_is_given_up() -> None:
    async def never(_: conv.AgentEvent) -> None:
        await asyncio.Event().wait()

    outbox = Outbox(never)
    for _ in range(MAX_WAITING):
        outbox.put(conv.AgentEvent(turn=conv.Turn(turn_id=1)))
    with pytest.raises(OutboxFullError):
        outbox.put(conv.AgentEvent(turn=conv.Turn(turn_id=1)))


def test_what_was_heard_long_ago_is_forgotten() -> None:
    reply = reply_of(60_000)
    reply.read(0, reply.samples)
    reply.played(480_000)
    assert reply.resume_point()[0] == reply.samples
    assert len(reply._audio) < 10_000


def test_what_a_tail_is_about_to_say_again_is_not_forgotten_when_it_turns_out_to_have_been_heard() -> None:
    reply = reply_of(60_000)
    whole = reply.read(0, reply.samples)
    reply.played(80_000)
    reply.go_back(80_000)
    reply.played(reply.samples)
    assert reply.read(80_000, reply.samples) == whole[80_000:]


def test_durations_keep_their_fractions() -> None:
    assert duration_of(1234.5).ToMicroseconds() == 1_234_500


@async_test
async def test_what_can_wait_is_written_when_nothing_else_waits_and_before_the_end() -> None:
    gateway = Gateway()
    outbox = Outbox(gateway.write)
    outbox.put_later(conv.AgentEvent(checkpoint=conv.Checkpoint(seq=1)))
    outbox.put(conv.AgentEvent(notice=conv.Notice(code="SOUND")))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(outbox.run())
        await quiet()
        outbox.put_later(conv.AgentEvent(checkpoint=conv.Checkpoint(seq=2)))
        outbox.put_later(conv.AgentEvent(checkpoint=conv.Checkpoint(seq=3)))
        outbox.urge()
        outbox.put(conv.AgentEvent(go_away=conv.GoAway()))
        outbox.put_later(conv.AgentEvent(checkpoint=conv.Checkpoint(seq=4)))
        outbox.close(conv.AgentEvent(end=conv.AgentEnd()))
    kinds = [event.WhichOneof("event") for event in gateway.events]
    assert kinds == ["notice", "checkpoint", "checkpoint", "checkpoint", "go_away", "checkpoint", "end"]
