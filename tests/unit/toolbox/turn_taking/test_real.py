"""The bench in real time: real processes, a real call, an oracle that finds the truth by the sound alone."""

from __future__ import annotations

import json

import pytest

from servicekit.audio import encode_mulaw, to_int16
from tests.asyncs import async_test
from toolbox.bench.turn_taking.corpus import CallPlan, CaseKind, Echo, Half, Speaker, line_noise, make_call
from toolbox.bench.turn_taking.real import run_real
from toolbox.bench.turn_taking.real.line import CallerLine
from toolbox.bench.turn_taking.replies import BRIEF, spoken_reply
from toolbox.phone.handset import Handset
from toolbox.phone.knobs import Knobs

SPEAKER = Speaker("en", 160, 50, level_dbfs=-20.0, noise_dbfs=-60.0)


class FakeClock:
    """Stands still."""

    def __call__(self) -> float:
        return 0.0


def line(seed: int, echo: Echo | None = None) -> CallerLine:
    plan = CallPlan("x", Half.TUNING, SPEAKER, seed, (), echo, brief=True)
    return CallerLine(Handset(Knobs(), FakeClock()), plan, spoken_reply(BRIEF))


def test_sound_is_found_on_the_line_that_sent_it_and_on_no_other() -> None:
    lines = [line(1), line(2)]
    for one in lines:
        for _ in range(100):
            one.microphone.next_frame()
    sound = lines[1].microphone.sent.read(8000, 8800)
    assert lines[0].find(sound, within_ms=3000) is None
    assert lines[1].find(sound, within_ms=3000) == 1000.0
    assert lines[1].find(sound, within_ms=500) is None


def test_a_line_with_an_echo_gives_back_what_it_heard_later_and_softer() -> None:
    echoing = line(3, Echo(gain_db=-12.0, delay_ms=100.0))
    loud = encode_mulaw(to_int16(spoken_reply(BRIEF).samples))
    echoing.handset.playout.receive(0, loud)
    for _ in range(50):
        echoing.microphone.next_frame()
    bed = encode_mulaw(to_int16(line_noise(SPEAKER, 3)))
    assert echoing.microphone.sent.read(0, 800) == bed[:800]
    assert echoing.microphone.sent.read(1600, 3200) != bed[1600:3200]


def test_the_words_of_a_take_are_known_from_the_moment_they_are_said() -> None:
    one = line(4)
    (case,) = make_call([(CaseKind.COMPLETE, 0)], Half.TUNING, 1).cases
    assert case.take is not None
    _, begins = one.play(case.take)
    end = begins + case.take.speech_end_ms
    assert one.words.text(begins, begins + case.take.speech_start_ms) == ""
    assert one.words.text(begins, end) == one.words.text(0.0, end + 1000.0) != ""


@pytest.mark.process
@pytest.mark.timeout(180)
@async_test
async def test_a_sentence_is_understood_by_the_oracle_and_answered_by_the_house() -> None:
    told: list[int] = []
    result = await run_real(
        {CaseKind.COMPLETE: 1},
        Half.TUNING,
        1,
        parallel=1,
        per_call=1,
        oracle_ms=80.0,
        config=None,
        settings=(),
        on_cases=told.append,
    )
    (call,) = result.calls
    (seen,) = call.cases
    assert (call.failure, call.left, result.oracle_not_found) == ("", 0, 0)
    assert seen.response_latency_ms is not None
    assert seen.response_latency_ms > 0
    assert seen.engine is not None
    assert seen.engine.commit is not None
    assert told == [1]
    json.dumps(call.model_dump(mode="json"), allow_nan=False)
