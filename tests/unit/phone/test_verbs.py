"""Verbs are performed in order, and what they lead to is requested as documented."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from starlette.responses import Response

from tests.asyncs import async_test
from tests.fakes.phone_gateway import CALLER, OUR_NUMBER
from tests.unit.phone.world import loud, quiet, world
from toolbox.phone import Call, Knobs
from toolbox.phone.capture import DigitCollector, Recorder
from toolbox.phone.wav import mulaw_to_wav, read_wav

FRIEND = "+15005550009"


def _names(call: Call) -> list[str]:
    return [verb.name for verb in call.verbs]


@async_test
async def test_say_is_noted_and_rendered_only_by_a_voice() -> None:
    voice = '<Response><Say language="de">Guten Tag</Say></Response>'
    async with world(voice=voice) as w, w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
        await call.wait_ended()
    assert [(verb.name, verb.detail) for verb in call.verbs] == [("Say", "Guten Tag")]
    assert call.heard.first_heard_above() is None

    def noise(text: str, language: str, voice: str) -> tuple[NDArray[np.float32], int]:
        assert (text, language, voice) == ("Guten Tag", "de", "")
        return np.random.default_rng(1).uniform(-0.5, 0.5, 1600).astype(np.float32), 8000

    async with world(voice=voice, say_voice=noise) as w, w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
        await call.wait_ended()
    assert call.heard.first_heard_above() is not None


@async_test
async def test_play_fetches_a_wav_from_the_gateway_only() -> None:
    voice = "<Response><Play>/hello.wav</Play><Play>http://elsewhere.example/x.wav</Play><Play>/text</Play></Response>"
    async with world(voice=voice) as w:
        w.gateway.replies["/hello.wav"] = Response(mulaw_to_wav(loud(0.2)), media_type="audio/wav")
        w.gateway.replies["/text"] = Response("hello", media_type="text/plain")
        async with w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
            await call.wait_ended()
        (fetch,) = w.gateway.requests_to("/hello.wav")
    assert fetch.method == "GET"
    assert fetch.signed
    assert call.heard.first_heard_above() is not None
    assert [notice.code for notice in call.notices] == [11200, 12300]


@async_test
async def test_record_takes_the_caller_down_and_asks_its_action() -> None:
    voice = (
        '<Response><Record action="/recorded" timeout="1" playBeep="true" recordingStatusCallback="/file"/></Response>'
    )
    async with world(voice=voice) as w:
        w.gateway.replies |= {"/recorded": "<Response><Say>Thank you</Say></Response>", "/file": ""}
        async with w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
            await call.answered()
            call.stay_silent(0.6)
            call.play_mulaw(loud(1.0))
            await call.wait_ended()
        action, file = await w.gateway.request_to("/recorded"), await w.gateway.request_to("/file")
    (recording,) = call.recordings
    assert action.signed
    assert action.form["RecordingSid"] == recording.sid
    assert action.form["RecordingUrl"].endswith(f"/Recordings/{recording.sid}")
    assert action.form["RecordingDuration"] == "1"
    assert action.form["Digits"] == ""
    assert file.form["RecordingStatus"] == "completed"
    assert file.form["RecordingSource"] == "RecordVerb"
    assert loud(1.0) in recording.channels[0]
    assert _names(call) == ["Record", "Say"]


@async_test
async def test_an_empty_recording_asks_nothing_and_falls_to_the_next_verb() -> None:
    voice = '<Response><Record action="/recorded" timeout="1" playBeep="false"/><Say>Nothing?</Say></Response>'
    async with world(voice=voice) as w, w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
        await call.wait_ended()
    assert w.gateway.requests_to("/recorded") == []
    assert _names(call) == ["Record", "Say"]


@async_test
async def test_a_hang_up_during_a_recording_still_asks_its_action() -> None:
    async with world(voice='<Response><Record action="/recorded" playBeep="false"/></Response>') as w:
        w.gateway.replies["/recorded"] = "<Response/>"
        async with w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
            await call.answered()
            await call.play_mulaw(loud(0.5)).finished()
        action = await w.gateway.request_to("/recorded")
    assert action.form["Digits"] == "hangup"
    assert action.form["CallStatus"] == "completed"


@async_test
async def test_a_recording_without_action_asks_for_the_same_document_again() -> None:
    async with world() as w:
        documents = iter(
            ['<Response><Record timeout="1" playBeep="false"/></Response>', "<Response><Hangup/></Response>"]
        )
        w.gateway.replies["/voice"] = lambda _: next(documents)
        async with w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
            await call.answered()
            await call.play_mulaw(loud(0.3)).finished()
            call.press("5")
            await call.wait_ended()
        first, again = w.gateway.requests_to("/voice")
    assert "RecordingSid" not in first.form
    assert again.form["RecordingSid"] == call.recordings[0].sid
    assert again.form["Digits"] == "5"


def test_a_recording_ends_on_silence_length_or_key() -> None:
    def recorder(timeout_s: float = 5, max_length_s: float = 10, keys: str = "#") -> Recorder:
        return Recorder(
            timeout_s=timeout_s,
            max_length_s=max_length_s,
            finish_on_key=keys,
            floor_dbfs=-45,
            on_end=lambda: None,
        )

    def feed(into: Recorder, audio: bytes) -> None:
        for at in range(0, len(audio), 160):
            into.frame(audio[at : at + 160], at)

    silent = recorder(timeout_s=1)
    feed(silent, loud(0.5) + quiet(0.98))
    assert silent.ended is None
    feed(silent, quiet(0.02))
    assert silent.ended == "silence"
    assert len(silent.audio(trim=True)) == 0.6 * 8000
    assert len(silent.audio(trim=False)) == 1.5 * 8000

    long = recorder(max_length_s=1)
    feed(long, loud(2.0))
    assert long.ended == "length"
    assert len(long.audio(trim=False)) == 8000

    keyed = recorder()
    feed(keyed, loud(0.1))
    keyed.digit("5")
    assert keyed.ended is None
    keyed.digit("#")
    assert keyed.digits == "#"
    assert keyed.audio(trim=True) == loud(0.1)


@async_test
async def test_gather_collects_digits_and_the_first_key_stops_the_prompt() -> None:
    voice = '<Response><Gather action="/digits" numDigits="4"><Pause length="60"/></Gather></Response>'
    async with world(voice=voice) as w:
        w.gateway.replies["/digits"] = "<Response/>"
        async with w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
            await call.answered()
            call.press("1234", gap_s=0.05)
            await call.wait_ended()
        (request,) = w.gateway.requests_to("/digits")
    assert request.form["Digits"] == "1234"


@async_test
async def test_gather_without_digits_falls_to_the_next_verb() -> None:
    voice = '<Response><Gather action="/digits" timeout="1"/><Say>Nobody there</Say></Response>'
    async with world(voice=voice) as w, w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
        await call.wait_ended()
    assert w.gateway.requests_to("/digits") == []
    assert _names(call) == ["Gather", "Say"]


def test_the_finishing_key_is_not_a_digit() -> None:
    collector = DigitCollector(num_digits=None, finish_on_key="#", on_change=lambda: None)
    for key in "12#3":
        collector.digit(key)
    assert collector.digits == "12"
    assert collector.finished


@async_test
async def test_dial_joins_two_people() -> None:
    async def answer(call: Call) -> None:
        await call.play_mulaw(loud(0.3, seed=2)).finished()
        await call.hears(after=0.0)
        call.hang_up()

    voice = f'<Response><Dial action="/dialled"><Number>{FRIEND}</Number></Dial></Response>'
    async with world(voice=voice) as w:
        w.gateway.replies["/dialled"] = "<Response><Say>Bye</Say></Response>"
        friend = w.phone.add_subscriber(FRIEND, on_answer=answer)
        async with w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
            await call.answered()
            call.play_mulaw(loud(5.0))
            await call.wait_ended()
        (action,) = w.gateway.requests_to("/dialled")
        (leg,) = call.legs
    assert friend.rings == 1
    assert action.form["DialCallStatus"] == "completed"
    assert action.form["DialCallSid"] == leg.sid
    assert leg.from_ == CALLER
    assert call.heard.first_heard_above() is not None
    assert leg.heard.first_heard_above() is not None


@pytest.mark.parametrize(("answers", "status"), [("busy", "busy"), ("failed", "failed"), (None, "failed")])
def test_dial_reports_who_could_not_be_reached(answers: str | None, status: str) -> None:
    async def scenario() -> None:
        async with world(voice=f'<Response><Dial action="/dialled">{FRIEND}</Dial></Response>') as w:
            w.gateway.replies["/dialled"] = "<Response/>"
            if answers is not None:
                w.phone.add_subscriber(FRIEND, answers)  # type: ignore[arg-type]
            async with w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
                await call.wait_ended()
            (action,) = w.gateway.requests_to("/dialled")
        assert action.form["DialCallStatus"] == status

    asyncio.run(scenario())


@async_test
async def test_a_dialled_person_is_let_go_when_the_caller_hangs_up() -> None:
    async with world(voice=f"<Response><Dial>{FRIEND}</Dial></Response>") as w:
        friend = w.phone.add_subscriber(FRIEND)
        async with w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
            leg = await friend.next_call()
            await leg.answered()
        assert await leg.wait_ended() == "completed"
    assert call.status == "completed"


@async_test
async def test_nothing_left_hangs_up_and_an_empty_document_too() -> None:
    for document in ("<Response/>", ""):
        async with world(voice=document) as w, w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
            assert await call.wait_ended() == "completed"


@async_test
async def test_the_longest_call_ends() -> None:
    voice, knobs = '<Response><Pause length="60"/></Response>', Knobs(time_limit_s=0.05)
    async with world(voice=voice, knobs=knobs) as w, w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
        assert await call.wait_ended() == "completed"


def test_a_call_is_written_as_two_channels(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with world(voice="<Response><Play>/hello.wav</Play></Response>") as w:
            w.gateway.replies["/hello.wav"] = Response(mulaw_to_wav(loud(0.4)), media_type="audio/wav")
            async with w.phone.call(to=OUR_NUMBER, from_=CALLER) as call:
                await call.answered()
                call.play_mulaw(loud(0.2))
                await call.wait_ended()
        call.write_wav(tmp_path / "call.wav")

    asyncio.run(scenario())
    data = (tmp_path / "call.wav").read_bytes()
    assert int.from_bytes(data[22:24], "little") == 2
    samples, rate = read_wav(data)
    assert rate == 8000
    assert samples.size >= 0.4 * 8000
