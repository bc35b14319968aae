"""Row 61 of the catalogue of faults: peers that break the contracts, or leave, while a telephone call goes on.

The real processes are spoken to over gRPC, by hand. Each test ends with the caller's story heard without a hole, a
question answered on the same call, nothing left in any process, and a new call that works.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final

import grpc
import grpc.aio
import pytest
from google.protobuf.duration_pb2 import Duration

from parley.audio.v1 import audio_pb2
from parley.conversation.v1 import conversation_pb2 as conv
from parley.stt.v1 import stt_pb2 as stt
from parley.tts.v1 import tts_pb2 as tts
from servicekit.audio import MULAW_8K
from servicekit.errors import reason_of
from tests.fakes.gateway_orchestrator import FakeConversation
from tests.fakes.gateway_world import GatewayWorld
from tests.fakes.gateway_world import fault as on_the_gateway
from tests.process.house import HANG_GUARD_S, NOON, House, Talk, fault, saying

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

STORY: Final = "Once upon a time there was a lighthouse at the end of the world."
INVALID, EXHAUSTED = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED
OK, CANCELLED = grpc.StatusCode.OK, grpc.StatusCode.CANCELLED
ORDER: Final = (INVALID, "MESSAGE_ORDER")
FORMAT: Final = (INVALID, "FORMAT_UNSUPPORTED")
TOO_LARGE: Final = (EXHAUSTED, "MESSAGE_TOO_LARGE")
LEFT: Final = (CANCELLED, "MESSAGE_ORDER")
MIB: Final = 1024 * 1024
NOISE: Final = b"\x11" * 1600
# Field 1000, length-delimited: from a version of the contract that nobody has written yet.
UNKNOWN_FIELD: Final = b"\xc2\x3e\x03new"
UNKNOWN_ENCODING: Final = audio_pb2.AudioFormat(encoding=99, sample_rate_hz=8000, channels=1)  # type: ignore[arg-type]
CD: Final = audio_pb2.AudioFormat(encoding=audio_pb2.ENCODING_PCM_S16LE, sample_rate_hz=44_100, channels=2)

Ended = tuple[grpc.StatusCode, str]
Open = Callable[[], Any]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("house")) as running:
        yield running


async def outcome(call: Any, messages: Sequence[object], *, close: bool = False) -> Ended:
    """How an RPC ends after these messages, of which the last is the wrong one: status and reason."""
    try:
        async with asyncio.timeout(HANG_GUARD_S):
            for message in messages:
                await call.write(message)
            if close:
                await call.done_writing()
            while await call.read() is not grpc.aio.EOF:
                pass
            return await call.code(), ""
    except grpc.aio.AioRpcError as error:
        return error.code(), reason_of(error)


async def check(open_call: Open, wrong: dict[str, tuple[list[Any], Ended]]) -> None:
    """Do each wrong thing in an RPC of its own; all must end as they should."""
    found = {name: await outcome(open_call(), messages) for name, (messages, _) in wrong.items()}
    assert found == {name: expected for name, (_, expected) in wrong.items()}


def raw(house: House, name: str, method: str) -> Any:
    """An RPC whose requests are bytes, for what no generated class would write."""
    return house.channel(name).stream_stream(method)()


async def undisturbed(house: House, abuse: Callable[[Talk], Awaitable[None]]) -> None:
    """A telephone call on which a story is told, with an abuse beside it; neither it nor its next question suffers."""
    house.act = saying(STORY)
    async with house.talk() as talk:
        await talk.greeted()
        telling = asyncio.create_task(talk.ask("tell me a story"))
        try:
            await talk.logged("turn", state="speaking")
            await abuse(talk)
            turn = await telling
        finally:
            telling.cancel()
        assert turn["heard_length"] == turn["said_length"] > 0
        assert talk.call.heard.underruns() == []
        # All that the abuse had taken is given back; what is left is this call.
        await house.taken(gateway=1, orchestrator=1, tts=0)
        house.act = saying(NOON)
        await talk.ask()
        assert talk.said().endswith(NOON)
        assert not talk.entries("notice")
        await talk.hang_up()


# -------------------------------------------------------------------------------------------------- speech to text


def listen(**config: Any) -> stt.RecognizeRequest:
    fields: dict[str, Any] = {"format": MULAW_8K, "languages": ["en"], "partials": True}
    return stt.RecognizeRequest(config=stt.RecognizeConfig(**(fields | config)))


def noise(payload: bytes = NOISE) -> stt.RecognizeRequest:
    return stt.RecognizeRequest(audio=stt.AudioChunk(payload=payload))


def finalize(number: int) -> stt.RecognizeRequest:
    return stt.RecognizeRequest(finalize=stt.Finalize(id=number))


LISTEN, STOP_LISTENING = listen(), stt.RecognizeRequest(finish=stt.Finish())
WRONG_TO_STT: dict[str, tuple[list[Any], Ended]] = {
    "audio first": ([noise()], ORDER),
    "finish first": ([STOP_LISTENING], ORDER),
    "config twice": ([LISTEN, LISTEN], ORDER),
    "finalize 0": ([LISTEN, finalize(0)], ORDER),
    "finalize twice": ([LISTEN, noise(), finalize(2), finalize(2)], ORDER),
    "finalize backwards": ([LISTEN, noise(), finalize(2), finalize(1)], ORDER),
    "nothing in it": ([LISTEN, stt.RecognizeRequest()], ORDER),
    "no format": ([listen(format=None)], FORMAT),
    "unknown encoding": ([listen(format=UNKNOWN_ENCODING)], FORMAT),
    "format not offered": ([listen(format=CD)], FORMAT),
    "unknown language": ([listen(languages=["zu"])], (INVALID, "LANGUAGE_UNSUPPORTED")),
    "5 MiB": ([LISTEN, noise(b"\x11" * 5 * MIB)], TOO_LARGE),
    "5 MiB of config": ([listen(prompt="a" * 5 * MIB)], TOO_LARGE),
}


async def abuse_stt(house: House) -> None:
    """Break the contract in every way, then bend it, then vanish."""
    await check(house.stt.Recognize, WRONG_TO_STT)
    assert await outcome(house.stt.Recognize(), [], close=True) == LEFT
    assert await outcome(house.stt.Recognize(), [LISTEN, noise()], close=True) == LEFT
    # It bears a newer client, as far as it understands it, and one that vanishes.
    newer = raw(house, "stt", "/parley.stt.v1.SpeechToText/Recognize")
    config = listen(profile=99).SerializeToString() + UNKNOWN_FIELD
    assert await outcome(newer, [config, STOP_LISTENING.SerializeToString()]) == (OK, "")
    unknown = raw(house, "stt", "/parley.stt.v1.SpeechToText/Recognize")
    assert await outcome(unknown, [LISTEN.SerializeToString(), UNKNOWN_FIELD]) == ORDER
    leaving: Any = house.stt.Recognize()
    await leaving.write(LISTEN)
    assert (await leaving.read()).HasField("ready")
    leaving.cancel()


# -------------------------------------------------------------------------------------------------- text to speech


def speak(**config: Any) -> tts.SynthesizeRequest:
    return tts.SynthesizeRequest(config=tts.SynthesizeConfig(**({"format": MULAW_8K} | config)))


def text(segment: int, words: str = "One two three.") -> tts.SynthesizeRequest:
    return tts.SynthesizeRequest(text=tts.Text(segment=segment, text=words))


SPEAK, STOP_SPEAKING = speak(), tts.SynthesizeRequest(finish=tts.Finish())
FLUSH = tts.SynthesizeRequest(flush=tts.Flush())
WRONG_TO_TTS: dict[str, tuple[list[Any], Ended]] = {
    "text first": ([text(1)], ORDER),
    "finish first": ([STOP_SPEAKING], ORDER),
    "config twice": ([SPEAK, SPEAK], ORDER),
    "segment 0": ([SPEAK, text(0)], ORDER),
    "segments backwards": ([SPEAK, text(2), text(1)], ORDER),
    "a flushed segment": ([SPEAK, text(1), FLUSH, text(1)], ORDER),
    "nothing in it": ([SPEAK, tts.SynthesizeRequest()], ORDER),
    "no format": ([speak(format=None)], FORMAT),
    "unknown encoding": ([speak(format=UNKNOWN_ENCODING)], FORMAT),
    "format not offered": ([speak(format=CD)], FORMAT),
    "unknown voice": ([speak(voice="nobody")], (INVALID, "VOICE_UNKNOWN")),
    "unknown language": ([speak(language="zu")], (INVALID, "LANGUAGE_UNSUPPORTED")),
    "a segment too long": ([SPEAK, text(1, "a" * 10_001)], (INVALID, "TEXT_TOO_LONG")),
    "5 MiB": ([SPEAK, text(1, "a" * 5 * MIB)], TOO_LARGE),
}


async def abuse_tts(house: House) -> None:
    """Break the contract in every way, then bend it, then vanish."""
    await check(house.tts.Synthesize, WRONG_TO_TTS)
    assert await outcome(house.tts.Synthesize(), [], close=True) == LEFT
    assert await outcome(house.tts.Synthesize(), [SPEAK, text(1)], close=True) == LEFT
    # It bears a newer client, as far as it understands it, and one that vanishes.
    newer = raw(house, "tts", "/parley.tts.v1.TextToSpeech/Synthesize")
    requests = [SPEAK.SerializeToString() + UNKNOWN_FIELD, STOP_SPEAKING.SerializeToString()]
    assert await outcome(newer, requests) == (OK, "")
    unknown = raw(house, "tts", "/parley.tts.v1.TextToSpeech/Synthesize")
    assert await outcome(unknown, [SPEAK.SerializeToString(), UNKNOWN_FIELD]) == ORDER
    leaving: Any = house.tts.Synthesize()
    for message in (SPEAK, text(1, STORY), FLUSH):
        await leaving.write(message)
    while not (await leaving.read()).HasField("audio"):
        pass
    leaving.cancel()


@fault
async def test_row_61_the_speech_services_refuse_what_breaks_their_contracts_and_bear_the_rest(house: House) -> None:
    async def abuse(_: Talk) -> None:
        await abuse_stt(house)
        await abuse_tts(house)

    await undisturbed(house, abuse)


# ----------------------------------------------------------------------------------------------------- conversation


def start(call_id: str, **fields: Any) -> conv.CallEvent:
    formats: dict[str, Any] = {"caller_formats": [MULAW_8K], "agent_formats": [MULAW_8K]}
    return conv.CallEvent(start=conv.Start(call_id=call_id, **(formats | fields)))


def sound(seq: int, payload: bytes = b"\xff" * 160) -> conv.CallEvent:
    return conv.CallEvent(audio=conv.CallerAudio(seq=seq, offset=Duration(), payload=payload))


START, END = start("stranger"), conv.CallEvent(end=conv.CallEnd(reason=conv.END_REASON_CALLER_HUNG_UP))
BROKEN = conv.Resume(checkpoint=conv.Checkpoint(seq=1, state=b"\x00broken"))
WRONG_TO_ORCHESTRATOR: dict[str, tuple[list[Any], Ended]] = {
    "audio first": ([sound(1)], ORDER),
    "end first": ([END], ORDER),
    "start twice": ([START, START], ORDER),
    "audio twice": ([START, sound(1), sound(1)], ORDER),
    "audio backwards": ([START, sound(2), sound(1)], ORDER),
    "nothing in it": ([START, conv.CallEvent()], ORDER),
    "two seconds of audio in one": ([START, sound(1, b"\xff" * 16_000)], ORDER),
    "no call_id": ([start("")], (INVALID, "CALL_ID_MISSING")),
    "a strange call_id": ([start("../../etc/passwd")], (INVALID, "CALL_ID_MISSING")),
    "no formats": ([start("stranger", caller_formats=[])], FORMAT),
    "unknown encoding": ([start("stranger", agent_formats=[UNKNOWN_ENCODING])], FORMAT),
    "format not offered": ([start("stranger", caller_formats=[CD])], FORMAT),
    "a broken checkpoint": ([start("stranger", resume=BROKEN)], (INVALID, "CHECKPOINT_UNREADABLE")),
    "5 MiB": ([START, sound(1, b"\xff" * 5 * MIB)], TOO_LARGE),
}


@fault
async def test_row_61_the_orchestrator_refuses_what_breaks_its_contract_and_bears_the_rest(house: House) -> None:
    async def abuse(talk: Talk) -> None:
        await check(house.conversation.Converse, WRONG_TO_ORCHESTRATOR)
        live = await outcome(house.conversation.Converse(), [start(talk.call_id)])
        assert live == (grpc.StatusCode.ALREADY_EXISTS, "CALL_LIVE")
        assert await outcome(house.conversation.Converse(), [], close=True) == ORDER
        # A stream that ends without `end` is a gateway that died: the call is over here, and may come back.
        assert await outcome(house.conversation.Converse(), [START, sound(1)], close=True) == (OK, "")
        leaving: Any = house.conversation.Converse()
        await leaving.write(START)
        assert (await leaving.read()).HasField("ready")
        leaving.cancel()
        await house.taken(orchestrator=1)
        assert await outcome(house.conversation.Converse(), [START, END]) == (OK, "")

    await undisturbed(house, abuse)


@fault
async def test_row_61_the_orchestrator_bears_a_newer_gateway(house: House) -> None:
    async def abuse(_: Talk) -> None:
        newer = raw(house, "orchestrator", "/parley.conversation.v1.Conversation/Converse")
        played = conv.Playback(playout_id=1, mark=1, status=99)  # type: ignore[arg-type]
        result = conv.CallControlResult(id=1, status=99)  # type: ignore[arg-type]
        over = conv.CallEnd(reason=99)  # type: ignore[arg-type]
        events = [
            start("newer", direction=99),
            conv.CallEvent(playback=played),
            conv.CallEvent(call_control_result=result),
            conv.CallEvent(dtmf=conv.Dtmf(digit="?")),
            conv.CallEvent(end=over),
        ]
        assert await outcome(newer, [event.SerializeToString() + UNKNOWN_FIELD for event in events]) == (OK, "")
        unknown = raw(house, "orchestrator", "/parley.conversation.v1.Conversation/Converse")
        assert await outcome(unknown, [START.SerializeToString(), UNKNOWN_FIELD]) == ORDER

    await undisturbed(house, abuse)


# ---------------------------------------------------------------------------------------------------------- gateway


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayWorld]:
    # The call log reads more of each event than the call itself does.
    with GatewayWorld(f"gateway.call_log={tmp_path_factory.mktemp('calls')}") as surroundings:
        yield surroundings


@on_the_gateway
async def test_row_61_the_gateway_bears_a_newer_orchestrator(world: GatewayWorld) -> None:
    def newer(message: Any) -> Any:
        return type(message).FromString(message.SerializeToString() + UNKNOWN_FIELD)

    nth = len(world.orchestrator.conversations) + 1
    async with world.call() as call:
        held = await world.talking(call, nth)
        held.send()  # nothing in it, or nothing that this gateway knows
        held.send(notice=newer(conv.Notice(severity=99, code="NEWER", message="from a later version")))  # type: ignore[arg-type]
        held.send(transcript=newer(conv.Transcript(speaker=99, text="hello")))  # type: ignore[arg-type]
        held.send(turn=newer(conv.Turn(turn_id=1, state=99, speculation=99)))  # type: ignore[arg-type]
        held.send(turn=conv.Turn(turn_id=1, state=conv.TURN_STATE_ENDED, outcome=99))  # type: ignore[arg-type]
        held.send(call_control=newer(conv.CallControl(id=1)))  # an order that this gateway cannot know
        held.send(playout=newer(conv.Playout(playout_id=1, kind=99)))  # type: ignore[arg-type]
        held.sound(1, 0.2)
        played = await held.playback_of(held.mark(1, last=True))
        assert played.status == conv.Playback.STATUS_PLAYED
        (result,) = held.of("call_control_result")
        assert result.status == conv.CONTROL_STATUS_REFUSED
        held.end(99)  # type: ignore[arg-type]
        assert await call.wait_ended() == "completed"
        assert not call.notices
    assert len(world.orchestrator.conversations) == nth


@on_the_gateway
async def test_row_61_the_gateway_drops_what_an_orchestrator_sends_out_of_order(world: GatewayWorld) -> None:
    async with world.call() as call:
        held = await world.talking(call)
        await held.playback_of(held.say(2, 0.2))
        before = call.heard.received_seconds()
        held.clear(2)
        held.sound(2, 1.0)  # cleared
        held.sound(7, 1.0)  # never announced
        held.send(playout=conv.Playout(playout_id=1, kind=conv.PLAYOUT_KIND_REPLY))  # an id that is past
        held.sound(1, 1.0)
        held.send(mark=conv.Mark(playout_id=1, mark=1))
        await held.playback_of(held.say(3, 0.4))
        # Of all that, the caller heard the last alone.
        assert call.heard.received_seconds() - before == pytest.approx(0.4, abs=0.05)


@on_the_gateway
async def test_row_61_a_stream_that_its_orchestrator_breaks_is_opened_again(world: GatewayWorld) -> None:
    breaks: list[Callable[[FakeConversation], None]] = [
        lambda held: held._outbox.put_nowait(None),  # closes it without a word
        lambda held: held.die(grpc.StatusCode.INTERNAL),
        lambda held: held.send(audio=conv.AgentAudio(playout_id=99, seq=1, payload=b"\xff" * 5 * MIB)),
    ]
    nth = len(world.orchestrator.conversations) + 1
    async with world.call() as call:
        held = await world.talking(call, nth)
        for number, break_it in enumerate(breaks, 1):
            await held.playback_of(held.say(number, 0.2))
            break_it(held)
            held = await world.orchestrator.conversation(nth + number)
            assert held.start.resume.highest_playout_id == number
        played = await held.playback_of(held.say(len(breaks) + 1, 0.2))
        assert played.status == conv.Playback.STATUS_PLAYED
        assert len(call.streams) == 1
