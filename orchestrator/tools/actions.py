"""What the brain may have done about the call, once its wish was found to be allowed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class EndCall:
    """Hang up once what was said has been heard."""


@dataclass(frozen=True, slots=True)
class TransferCall:
    """Pass the call to somebody, once what was said has been heard; ``target`` is a name from the settings."""

    target: str


@dataclass(frozen=True, slots=True)
class TakeMessage:
    """Let the caller record a message, once what was said has been heard."""

    reason: str


@dataclass(frozen=True, slots=True)
class SendDtmf:
    """Press keys: ``digits`` of 0-9, *, #, A-D, and w for half a second's pause."""

    digits: str


Action: TypeAlias = EndCall | TransferCall | TakeMessage | SendDtmf


class RefusalReason(Enum):
    """Why a wish is not carried out; for logs."""

    UNKNOWN_TOOL = "unknown tool"
    LINE_CANNOT = "the line cannot do it"
    NOT_ALLOWED = "not on the list of allowed targets"
    BAD_ARGUMENTS = "unusable arguments"
    ONE_ENDING = "the reply has already given the call away"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The wish is not carried out; ``told`` is what the brain is told, and holds nothing that it said itself."""

    reason: RefusalReason
    told: str


def leaves_the_call(action: Action) -> bool:
    """Whether the agent has no part in the call once this is done; a reply may ask for one such thing."""
    return not isinstance(action, SendDtmf)
