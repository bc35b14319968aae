"""The tools as the brain is told of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from orchestrator.brain import ToolSpec
from orchestrator.tools.settings import ToolSettings
from parley.conversation.v1 import conversation_pb2 as conv

END_CALL: Final = "end_call"
TRANSFER_CALL: Final = "transfer_call"
SEND_DTMF: Final = "send_dtmf"
TAKE_MESSAGE: Final = "take_message"

MOST_DIGITS: Final = 64


def tools_for(capabilities: conv.Capabilities, settings: ToolSettings) -> tuple[ToolSpec, ...]:
    """The tools that this line can carry out and these settings allow, in a fixed order."""
    tools: list[ToolSpec] = []
    if settings.end_call:
        tools.append(
            ToolSpec(
                END_CALL,
                "End the telephone call. Use it when the caller says goodbye; say goodbye in the same answer.",
            )
        )
    if settings.transfer_targets and capabilities.transfer:
        tools.append(_transfer(settings.transfer_targets))
    if settings.send_dtmf and capabilities.dtmf_send:
        tools.append(
            ToolSpec(
                SEND_DTMF,
                "Press keys of the telephone, such as for a menu at the far end. Say nothing in the same answer if you "
                "need to know at once whether it worked.",
                _object(
                    digits={
                        "type": "string",
                        "description": "Keys in order: 0-9, *, #, A-D; w waits for half a second.",
                        "pattern": f"^[0-9*#A-Dw]{{1,{MOST_DIGITS}}}$",
                    }
                ),
            )
        )
    if settings.take_message and capabilities.take_message:
        tools.append(
            ToolSpec(
                TAKE_MESSAGE,
                "Let the caller record a message after the tone; the call is over for you then. Offer it first, and "
                "say in the same answer that the recording begins.",
                _object(reason={"type": "string", "description": "Why, in a few words, for whoever listens to it."}),
            )
        )
    return tuple(tools)


def _transfer(targets: Mapping[str, str]) -> ToolSpec:
    listed = "; ".join(f"{name}: {description}" if description else name for name, description in targets.items())
    return ToolSpec(
        TRANSFER_CALL,
        "Pass the call to somebody else; it is over for you then. Say in the same answer whom you are passing the "
        f"caller to. Possible are only these, never a number: {listed}.",
        _object(target={"type": "string", "enum": list(targets), "description": "To whom."}),
    )


def _object(**properties: Mapping[str, object]) -> dict[str, object]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
