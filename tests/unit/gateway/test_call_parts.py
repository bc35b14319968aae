"""The parts of a call that hold no socket: the caller's sound, orders, memory, policy, settings."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.call_control import CallControl, HangUp, Transfer, done
from gateway.call_memory import CallMemory
from gateway.caller_audio import CallerTape, SpeedCap
from gateway.inbound import may_call
from gateway.media_time import duration, in_seconds
from gateway.settings import GatewaySettings, InboundSettings
from parley.conversation.v1 import conversation_pb2 as conv

# ----------------------------------------------------------------------------------------------- caller's sound


def drain(tape: CallerTape) -> bytes:
    sound = b""
    while (piece := tape.next_unsent()) is not None:
        sound += piece.payload
    return sound


def test_the_tape_numbers_pieces_and_splits_long_ones() -> None:
    tape = CallerTape()
    for length in (160, 20_000):
        tape.append(b"x" * length)
    pieces = list(tape)
    assert [piece.seq for piece in pieces] == [1, 2, 3, 4]
    assert [tape.seconds(piece) for piece in pieces] == [0.0, 0.02, 1.02, 2.02]
    assert tape.position_s == pytest.approx(20_160 / 8000)


def test_after_a_rewind_everything_since_the_checkpoint_is_sent_again() -> None:
    tape = CallerTape()
    for value in range(10):
        tape.append(bytes([value]) * 160)
    assert len(drain(tape)) == 1_600
    tape.forget_before(0.1)
    tape.rewind()
    assert drain(tape) == b"".join(bytes([value]) * 160 for value in range(5, 10))
    tape.rewind()
    assert len(drain(tape)) == 800


def test_the_tape_is_bounded_and_counts_what_was_never_sent() -> None:
    tape = CallerTape(retain_s=1.0)
    for _ in range(100):
        tape.append(b"x" * 160)
    assert sum(len(piece.payload) for piece in tape) == 8_000
    assert tape.lost == 50
    assert tape.unsent_s == pytest.approx(1.0)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.001, 2)), max_size=60))
def test_the_speed_cap_lets_no_more_in_than_its_rate_and_burst(pieces: list[tuple[float, float]]) -> None:
    cap = SpeedCap(speed=1.25, burst_s=10.0, now=0.0)
    now = taken = 0.0
    for wait, length in pieces:
        now += wait
        if cap.admit(length, now):
            taken += length
    assert taken <= 10.0 + 1.25 * now + 1e-6


def test_the_speed_cap_lets_real_time_through_for_ever() -> None:
    cap = SpeedCap(speed=1.25, burst_s=10.0, now=0.0)
    assert all(cap.admit(0.02, tick * 0.02) for tick in range(100_000))


# ------------------------------------------------------------------------------------------------------- orders


def order(number: int, *, after: int = 0, **action: object) -> conv.CallControl:
    return conv.CallControl(id=number, after_playout_id=after, **action)  # type: ignore[arg-type]


def test_a_hang_up_waits_for_its_playout() -> None:
    control = CallControl(targets={})
    assert control.receive(order(1, after=3, hang_up=conv.HangUp(reason=conv.END_REASON_IDLE))) == []
    assert control.due(is_over=lambda _: False, silent=False, now=0.0) is None
    assert control.pending
    due = control.due(is_over=lambda playout_id: playout_id <= 3, silent=False, now=1.0)
    assert due == HangUp(1, 3, conv.END_REASON_IDLE)
    assert done(due).status == conv.CONTROL_STATUS_DONE
    assert control.due(is_over=lambda _: True, silent=True, now=2.0) is None


def test_an_order_after_a_playout_that_never_comes_is_carried_out_after_a_while_of_silence() -> None:
    control = CallControl(targets={})
    control.receive(order(1, after=9, hang_up=conv.HangUp()))
    assert control.due(is_over=lambda _: False, silent=True, now=0.0) is None
    assert control.due(is_over=lambda _: False, silent=False, now=4.0) is None  # something plays: wait on
    assert control.due(is_over=lambda _: False, silent=True, now=6.0) is None
    assert control.due(is_over=lambda _: False, silent=True, now=12.0) is not None


def test_a_transfer_goes_to_configured_names_only() -> None:
    control = CallControl(targets={"front desk": "+15005550009"})
    for target in ("+19005550000", "somebody", ""):
        (refused,) = control.receive(order(control._highest_id + 1, transfer=conv.Transfer(target=target)))
        assert refused.status == conv.CONTROL_STATUS_REFUSED
        assert "+1" not in refused.detail
    control.receive(order(9, transfer=conv.Transfer(target=" Front Desk ")))
    assert control.due(is_over=lambda _: True, silent=True, now=0.0) == Transfer(9, 0, "+15005550009")


def test_what_the_line_cannot_do_is_refused_and_a_repeated_order_ignored() -> None:
    control = CallControl(targets={})
    actions: tuple[dict[str, Any], ...] = (
        {"hold": conv.Hold(on=True)},
        {"send_dtmf": conv.SendDtmf(digits="1")},
        {"take_message": {}},
        {},
    )
    for number, action in enumerate(actions, start=1):
        (refused,) = control.receive(order(number, **action))
        assert refused.status == conv.CONTROL_STATUS_REFUSED
    assert control.receive(order(2, hold=conv.Hold(on=True))) == []


def test_a_newer_order_overtakes_one_that_waits() -> None:
    control = CallControl(targets={"desk": "+15005550009"})
    control.receive(order(1, after=5, hang_up=conv.HangUp()))
    (cancelled,) = control.receive(order(2, transfer=conv.Transfer(target="desk")))
    assert (cancelled.id, cancelled.status) == (1, conv.CONTROL_STATUS_CANCELLED)


# ------------------------------------------------------------------------------------------------------- memory


def observe(memory: CallMemory, **event: object) -> None:
    message = conv.AgentEvent(**event)  # type: ignore[arg-type]
    memory.observe(str(message.WhichOneof("event")), message)


def test_a_successor_is_told_the_highest_ids_and_what_followed_the_checkpoint() -> None:
    memory = CallMemory()
    observe(memory, turn=conv.Turn(turn_id=3, candidate_id=5))
    observe(memory, playout=conv.Playout(playout_id=4, turn_id=3, candidate_id=5))
    observe(memory, mark=conv.Mark(playout_id=4, mark=20))
    observe(memory, transcript=conv.Transcript(speaker=conv.SPEAKER_AGENT, text="old", playout_id=4))
    memory.reported(conv.Playback(playout_id=4, mark=19))
    observe(memory, playout=conv.Playout(playout_id=5))
    observe(memory, checkpoint=conv.Checkpoint(seq=7, covers_caller_offset=duration(9.5), last_playout_id=5))
    memory.reported(conv.Playback(playout_id=5, mark=21))
    observe(memory, transcript=conv.Transcript(speaker=conv.SPEAKER_AGENT, text="new", playout_id=5))
    observe(memory, transcript=conv.Transcript(speaker=conv.SPEAKER_CALLER, text="mine", turn_id=4))
    observe(memory, call_control=conv.CallControl(id=2))
    memory.answered(conv.CallControlResult(id=2))
    resume = memory.resume()
    assert resume.checkpoint.seq == 7
    assert (resume.highest_turn_id, resume.highest_candidate_id, resume.highest_playout_id) == (4, 5, 5)
    assert (resume.highest_mark, resume.highest_call_control_id) == (20, 2)
    assert [each.mark for each in resume.playback] == [21]
    assert [each.text for each in resume.transcripts] == ["new"]
    assert [each.id for each in resume.call_control_results] == [2]
    assert memory.covered_s == 9.5


def test_an_older_checkpoint_replaces_nothing_and_an_unreadable_one_is_dropped() -> None:
    memory = CallMemory()
    observe(memory, checkpoint=conv.Checkpoint(seq=2, state=b"new"))
    observe(memory, checkpoint=conv.Checkpoint(seq=1, state=b"old"))
    assert memory.resume().checkpoint.state == b"new"
    memory.drop_checkpoint()
    assert not memory.resume().HasField("checkpoint")


@given(st.floats(0, 1e6))
def test_durations_survive_the_way_there_and_back(seconds: float) -> None:
    message = duration(seconds)
    assert 0 <= message.nanos <= 999_999_999
    assert in_seconds(message) == pytest.approx(seconds, abs=1e-6)


# -------------------------------------------------------------------------------------------- policy and settings


def test_the_inbound_policy() -> None:
    listed = InboundSettings(policy="allowlist", allow=("+15005550006",))
    assert may_call(listed, "+15005550006")
    assert not may_call(listed, "+15005550007")
    assert not may_call(listed, "")
    assert not may_call(InboundSettings(), "+15005550006")
    assert may_call(InboundSettings(policy="open"), "anonymous")


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"twilio": {"enabled": True, "account_sid": "AC1"}}, "auth_token"),
        ({"twilio": {"enabled": True, "auth_token": "x"}}, "account_sid"),
        ({"twilio": {"enabled": True, "account_sid": "AC1", "auth_token": "x"}}, "public_url"),
        ({"public_url": "voice.example.org"}, "public_url"),
        ({"listen": "8080"}, "listen"),
        ({"inbound": {"policy": "allowlist"}}, "inbound"),
        ({"transfer": {"targets": {"desk": "911"}}}, "targets"),
    ],
)
def test_a_setting_that_cannot_be_is_named(values: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError) as error:
        GatewaySettings.model_validate(values)
    assert named in str(error.value.errors()[0]["loc"])
