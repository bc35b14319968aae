"""What the brain can do besides talking: end the call, pass it on, press keys, take a message.

`tools_for` says what it is offered, `plan` what of its wishes is allowed; both are pure. `CallTools` keeps the orders
of one call: nothing is carried out before the reply that asked for it is committed, and what ends the agent's part in
the call not before that reply was heard. `ToolRound` is what the history keeps.
"""

from orchestrator.tools.actions import (
    Action,
    EndCall,
    Refusal,
    RefusalReason,
    SendDtmf,
    TakeMessage,
    TransferCall,
    leaves_the_call,
)
from orchestrator.tools.call_tools import CallTools
from orchestrator.tools.candidate import CandidateTools
from orchestrator.tools.policy import plan
from orchestrator.tools.record import NOT_YET, ToolRound, ToolUse
from orchestrator.tools.settings import ToolSettings
from orchestrator.tools.specs import END_CALL, SEND_DTMF, TAKE_MESSAGE, TRANSFER_CALL, tools_for

__all__ = [
    "END_CALL",
    "NOT_YET",
    "SEND_DTMF",
    "TAKE_MESSAGE",
    "TRANSFER_CALL",
    "Action",
    "CallTools",
    "CandidateTools",
    "EndCall",
    "Refusal",
    "RefusalReason",
    "SendDtmf",
    "TakeMessage",
    "ToolRound",
    "ToolSettings",
    "ToolUse",
    "TransferCall",
    "leaves_the_call",
    "plan",
    "tools_for",
]
