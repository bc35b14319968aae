"""The bench in real time: real processes, a real call, an oracle that finds the truth by the sound alone."""

from __future__ import annotations

import json

import pytest

from servicekit.audio import encode_mulaw, to_int16
from tests.asyncs import async_test
from toolbox.bench.turn_taking.corpus import CallPlan, CaseKind, Echo, Half, Speaker, line_noise, make_call
from toolbox.bench.turn_taking.real import run_real
from toolbox.bench.turn_taking.real.line import CallerLine
from toolbox.bench.turn_taking.real.resuming import resumptions
from toolbox.bench.turn_taking.real.seeing import stale_ms
from toolbox.bench.turn_taking.replies import BRIEF, GREETING, spoken_reply
from toolbox.phone.handset import Handset
from toolbox.phone.heard import ClearArrival, HeardMark, MediaArrival
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


def test_an_echo_is_of_what_was_played_and_not_of_what_a_clear_took_back() -> None:
    echoing = line(5, Echo(gain_db=-12.0, delay_ms=100.0))
    sound = encode_mulaw(to_int16(spoken_reply(BRIEF).samples))
    handset = echoing.handset
    handset.origin = handset.heard.origin = 0.0
    handset.hear(sound[:800], at=0.1)
    for start in range(0, len(sound), 160):
        handset.hear(sound[start : start + 160], at=3.0)
    handset.clear(at=3.0 + (spoken_reply(BRIEF).word_starts_ms[3] + 20.0) / 1000.0)
    echo = [word.text for word in echoing.words.echo(0.0, 10_000.0)]
    assert echo == [GREETING, *BRIEF.split()[:3]]


REPLY = spoken_reply(BRIEF)
SENT = encode_mulaw(to_int16(REPLY.samples))


def played(*runs: tuple[int, int, int | None]) -> tuple[list[MediaArrival], list[ClearArrival]]:
    """Runs of the reply: from and to which sample it was sent, and how many of these were heard before a clear."""
    media: list[MediaArrival] = []
    clears: list[ClearArrival] = []
    at, position = 1.0, 8000
    for start, end, heard in runs:
        media.append(MediaArrival(at, position, end - start, 0, 0.1, SENT[start:end]))
        at += 1.0
        if heard is not None:
            clears.append(ClearArrival(at, position + heard, end - start - heard))
            at += 0.5
            position += heard + 4000
    return media, clears


def test_a_tail_that_begins_where_the_caller_stopped_hearing_loses_and_repeats_nothing() -> None:
    media, clears = played((0, 8000, 4000), (4000, 12000, None))
    (one,) = resumptions(media, clears, REPLY, from_at=1.0, until_at=9.0)
    assert (one.repeated_ms, one.words_lost, one.words_repeated) == (0.0, 0, 0)


def test_what_is_skipped_is_lost_and_what_is_said_again_is_repeated() -> None:
    media, clears = played((0, 9600, 2400), (8000, 12000, None))
    (one,) = resumptions(media, clears, REPLY, from_at=1.0, until_at=9.0)
    assert one.repeated_ms == -700.0
    assert one.words_lost >= 1
    media, clears = played((0, 9600, 9000), (800, 12000, None))
    (one,) = resumptions(media, clears, REPLY, from_at=1.0, until_at=9.0)
    assert one.repeated_ms == 1025.0
    assert one.words_repeated >= 1


def test_a_second_tail_is_placed_through_the_first() -> None:
    media, clears = played((0, 8000, 4000), (4000, 8800, 1600), (5600, 12000, None))
    assert [one.repeated_ms for one in resumptions(media, clears, REPLY, from_at=1.0, until_at=9.0)] == [0.0, 0.0]


def test_another_reply_is_no_tail() -> None:
    media, clears = played((0, 8000, 4000))
    other = encode_mulaw(to_int16(spoken_reply("Something else altogether.").samples))
    media.append(MediaArrival(5.0, 20000, len(other), 0, 0.1, other))
    assert resumptions(media, clears, REPLY, from_at=1.0, until_at=9.0) == []


def arrived(at: float, start_ms: float, ms: float) -> MediaArrival:
    return MediaArrival(at, round(start_ms * 8), round(ms * 8), 0, 0.1, b"")


def test_sound_of_a_new_playout_behind_a_clear_is_not_stale() -> None:
    media = [arrived(1.0, 0, 200), arrived(2.1, 1100, 200), arrived(2.1, 1300, 200)]
    marks = [HeardMark("3.1.1", 1.0, 1600), HeardMark("4.2.2", 2.1, 10400), HeardMark("4.3.2", 2.1, 12000)]
    assert stale_ms(2.0, media, marks) == 0.0


def test_sound_of_the_silenced_playout_behind_its_clear_is_stale() -> None:
    marks = [HeardMark("3.1.1", 1.0, 1600), HeardMark("3.2.2", 2.05, 8720), HeardMark("4.3.2", 2.3, 12000)]
    media = [arrived(1.0, 0, 200), arrived(2.05, 1050, 40), arrived(2.3, 1300, 200)]
    assert stale_ms(2.0, media, marks) == 40.0
    assert stale_ms(2.0, [*media[:2], arrived(2.2, 1200, 20), media[2]], marks) == 60.0


def test_sound_of_a_playout_that_was_silenced_before_its_first_mark_is_not_stale() -> None:
    media = [arrived(1.0, 0, 200), arrived(2.1, 1100, 60), arrived(2.3, 1300, 200)]
    marks = [HeardMark("3.1.1", 1.0, 1600), HeardMark("5.2.2", 2.3, 12000)]
    assert stale_ms(2.0, media, marks, until=2.2) == 0.0
    assert stale_ms(2.2, media, marks) == 0.0


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
        keep=None,
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
