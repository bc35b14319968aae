"""Which tools the brain is given, and how far it may go with them."""

from __future__ import annotations

from pydantic import Field, field_validator

from servicekit.settings import SettingsModel

LONGEST_TARGET = 80
MOST_TARGETS = 100


class ToolSettings(SettingsModel):
    """Settings of `[orchestrator.tools]`. A tool that the line cannot carry out is never offered, whatever is set."""

    end_call: bool = True
    # To whom a call may be passed: the names of gateway.transfer.targets, each with a word on when. The numbers behind
    # them stay in the gateway; the brain never sees one.
    transfer_targets: dict[str, str] = Field(default_factory=dict)
    # Press keys towards the far end, as in another house's telephone menu.
    send_dtmf: bool = True
    # Let the caller record a message.
    take_message: bool = True
    # How often within one reply the brain is asked again after the result of a tool.
    max_rounds: int = Field(default=3, ge=0, le=10)
    # How long a reply waits for the line to carry out an order whose result the brain is to hear.
    result_within_s: float = Field(default=5.0, gt=0, le=60)

    @field_validator("transfer_targets")
    @classmethod
    def _are_names(cls, targets: dict[str, str]) -> dict[str, str]:
        if len(targets) > MOST_TARGETS:
            raise ValueError(f"at most {MOST_TARGETS} targets fit into a question")
        for name in targets:
            if not name.strip() or len(name) > LONGEST_TARGET:
                raise ValueError(f"a target's name has 1 to {LONGEST_TARGET} characters")
            if sum(map(str.isdigit, name)) > 4:
                raise ValueError(
                    "a target is a name, such as front desk; its number belongs in gateway.transfer.targets"
                )
        return {" ".join(name.split()): description for name, description in targets.items()}
