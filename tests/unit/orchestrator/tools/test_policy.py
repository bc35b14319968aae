"""What the brain is offered, and what of its wishes is allowed: rows 71 and 72 of the fault catalogue."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestrator.brain import ToolCall
from orchestrator.tools import (
    EndCall,
    Refusal,
    RefusalReason,
    SendDtmf,
    TakeMessage,
    ToolSettings,
    TransferCall,
    plan,
    tools_for,
)
from parley.conversation.v1 import conversation_pb2 as conv

EVERYTHING = conv.Capabilities(transfer=True, dtmf_send=True, take_message=True)
NOTHING = conv.Capabilities()
SETTINGS = ToolSettings(transfer_targets={"front desk": "for bookings", "Sales": ""})


def wish(name: str, **arguments: object) -> ToolCall:
    return ToolCall("call_1", name, arguments)


def test_only_what_the_line_can_do_is_offered() -> None:
    assert [tool.name for tool in tools_for(NOTHING, SETTINGS)] == ["end_call"]
    assert [tool.name for tool in tools_for(EVERYTHING, SETTINGS)] == [
        "end_call",
        "transfer_call",
        "send_dtmf",
        "take_message",
    ]


def test_without_targets_nobody_can_be_transferred() -> None:
    assert "transfer_call" not in [tool.name for tool in tools_for(EVERYTHING, ToolSettings())]


def test_settings_can_take_tools_away() -> None:
    settings = ToolSettings(end_call=False, send_dtmf=False, take_message=False)
    assert tools_for(EVERYTHING, settings) == ()


def test_the_brain_chooses_among_names_and_sees_no_number() -> None:
    transfer = next(tool for tool in tools_for(EVERYTHING, SETTINGS) if tool.name == "transfer_call")
    parameters = json.loads(json.dumps(dict(transfer.parameters)))
    assert parameters["properties"]["target"]["enum"] == ["front desk", "Sales"]
    assert "for bookings" in transfer.description


def test_what_is_allowed_becomes_an_action() -> None:
    assert plan(wish("end_call"), EVERYTHING, SETTINGS) == EndCall()
    assert plan(wish("transfer_call", target=" FRONT  desk "), EVERYTHING, SETTINGS) == TransferCall("front desk")
    assert plan(wish("send_dtmf", digits="1 800-555#"), EVERYTHING, SETTINGS) == SendDtmf("1800555#")
    assert plan(wish("take_message", reason="wants a\ncall back"), EVERYTHING, SETTINGS) == TakeMessage(
        "wants a call back"
    )


@pytest.mark.parametrize(
    "target",
    ["+1 900 555 0100", "+19005550100", "19005550100", "sip:boss@example.org", "front desk\x00", "", None, ["Sales"]],
)
def test_row_71_nobody_but_the_configured_targets_can_be_reached(target: object) -> None:
    refused = plan(wish("transfer_call", target=target), EVERYTHING, SETTINGS)
    assert isinstance(refused, Refusal)
    assert refused.reason is RefusalReason.NOT_ALLOWED
    assert "900" not in refused.told
    assert "front desk, Sales" in refused.told


@given(st.text(), st.dictionaries(st.text(max_size=10), st.text(max_size=40), max_size=4))
def test_row_72_whatever_a_talked_over_brain_asks_for_stays_within_the_policy(name: str, more: dict[str, str]) -> None:
    for tool in (name, "transfer_call", "send_dtmf", "take_message", "end_call"):
        planned = plan(ToolCall("c", tool, {"target": name, **more}), EVERYTHING, SETTINGS)
        if isinstance(planned, TransferCall):
            assert planned.target in SETTINGS.transfer_targets
        elif isinstance(planned, SendDtmf):
            assert 1 <= len(planned.digits) <= 64
            assert set(planned.digits) <= set("0123456789*#ABCDw")


@pytest.mark.parametrize("name", ["transfer_call", "send_dtmf", "take_message"])
def test_a_tool_that_was_not_offered_is_refused(name: str) -> None:
    refused = plan(wish(name, target="Sales", digits="1", reason=""), NOTHING, SETTINGS)
    assert isinstance(refused, Refusal)
    assert refused.reason is RefusalReason.LINE_CANNOT


def test_a_tool_that_does_not_exist_is_refused() -> None:
    refused = plan(wish("dial", number="+19005550100"), EVERYTHING, SETTINGS)
    assert isinstance(refused, Refusal)
    assert refused.reason is RefusalReason.UNKNOWN_TOOL


@pytest.mark.parametrize("digits", ["", "12x4", "1" * 65, "１２", None, -1, True, 1.5, "1;2", "%0"])
def test_keys_that_no_telephone_has_are_refused(digits: object) -> None:
    refused = plan(wish("send_dtmf", digits=digits), EVERYTHING, SETTINGS)
    assert isinstance(refused, Refusal)
    assert refused.reason is RefusalReason.BAD_ARGUMENTS


@pytest.mark.parametrize("targets", [{"+15005550006": ""}, {" ": ""}, {"x" * 81: ""}])
def test_a_target_is_a_name(targets: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        ToolSettings(transfer_targets=targets)
