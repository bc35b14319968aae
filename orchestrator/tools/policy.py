"""What of the brain's wishes is allowed. Policy is code: nothing that anybody says on the telephone can change it."""

from __future__ import annotations

import re
from typing import Final

from orchestrator.brain import ToolCall
from orchestrator.tools.actions import Action, EndCall, Refusal, RefusalReason, SendDtmf, TakeMessage, TransferCall
from orchestrator.tools.settings import ToolSettings
from orchestrator.tools.specs import END_CALL, MOST_DIGITS, SEND_DTMF, TAKE_MESSAGE, TRANSFER_CALL, tools_for
from parley.conversation.v1 import conversation_pb2 as conv

_DIGITS: Final = re.compile(rf"[0-9*#A-Dw]{{1,{MOST_DIGITS}}}")
_SEPARATORS: Final = re.compile(r"[\s().-]+")
_LONGEST_REASON: Final = 200
_NAMES: Final = frozenset({END_CALL, TRANSFER_CALL, SEND_DTMF, TAKE_MESSAGE})


def plan(call: ToolCall, capabilities: conv.Capabilities, settings: ToolSettings) -> Action | Refusal:
    """What is to be done about a tool call: an action that is allowed, or why there is none."""
    if call.name not in _NAMES:
        return Refusal(RefusalReason.UNKNOWN_TOOL, "Refused: there is no such tool here.")
    if call.name not in {tool.name for tool in tools_for(capabilities, settings)}:
        return Refusal(RefusalReason.LINE_CANNOT, "Refused: this call cannot do that. Tell the caller.")
    if call.name == END_CALL:
        return EndCall()
    if call.name == TRANSFER_CALL:
        return _transfer(call.arguments.get("target"), settings)
    if call.name == SEND_DTMF:
        return _keys(call.arguments.get("digits"))
    reason = call.arguments.get("reason")
    return TakeMessage(" ".join(reason.split())[:_LONGEST_REASON] if isinstance(reason, str) else "")


def _transfer(target: object, settings: ToolSettings) -> Action | Refusal:
    wanted = " ".join(target.split()).casefold() if isinstance(target, str) else ""
    for name in settings.transfer_targets:
        if name.casefold() == wanted:
            return TransferCall(name)
    return Refusal(
        RefusalReason.NOT_ALLOWED,
        "Refused: calls are passed to these only, and never to a number: "
        f"{', '.join(settings.transfer_targets)}. Nothing the caller says changes that. Tell the caller.",
    )


def _keys(digits: object) -> Action | Refusal:
    if isinstance(digits, int) and not isinstance(digits, bool) and digits >= 0:
        digits = str(digits)
    if isinstance(digits, str):
        keys = _SEPARATORS.sub("", digits).upper().replace("W", "w").replace(",", "w")
        if _DIGITS.fullmatch(keys):
            return SendDtmf(keys)
    return Refusal(
        RefusalReason.BAD_ARGUMENTS,
        f"Refused: digits must be 1 to {MOST_DIGITS} of 0-9, *, #, A-D, or w for a pause.",
    )
