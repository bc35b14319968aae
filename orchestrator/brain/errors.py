"""What can go wrong with a brain, told so that the conversation can act on it and an operator can mend it."""

from __future__ import annotations

from typing import Literal, TypeAlias

import openai

BrainErrorKind: TypeAlias = Literal["refused", "auth", "rate_limited", "server", "timeout", "protocol", "cancelled"]

# A wait longer than this is longer than a caller's patience: better to fall back than to ask again.
LONGEST_RETRY_AFTER_S = 0.5


class BrainError(Exception):
    """The brain gave no answer, or no more of it.

    Attributes:
        kind: `refused` nobody listens (or TLS failed), `auth` the key was refused, `rate_limited`, `server` its own
            failure or a broken connection, `timeout` our total limit, `protocol` it answered what cannot be used,
            `cancelled` the client was closed.
        message: what happened, what it means, what to do. Holds nothing said and no key.
    """

    def __init__(self, kind: BrainErrorKind, message: str) -> None:
        super().__init__(message)
        self.kind: BrainErrorKind = kind
        self.message = message


def from_request(error: openai.OpenAIError, *, where: str, model: str, section: str) -> BrainError:
    """Translate what the client raised while asking. The endpoint's own words stay out: they may quote the prompt."""
    if isinstance(error, openai.APITimeoutError):
        return BrainError(
            "timeout", f"The brain at {where} did not accept a connection in time; is the host reachable?"
        )
    if isinstance(error, openai.APIConnectionError):
        return _unreachable(error, where, section)
    if isinstance(error, openai.APIStatusError):
        return _status(error.status_code, where, model, section)
    return BrainError("protocol", f"The brain at {where} could not be asked: {type(error).__name__}.")


def _unreachable(error: openai.APIConnectionError, where: str, section: str) -> BrainError:
    causes = _causes(error)
    if any("ssl" in type(cause).__module__ or "SSL" in type(cause).__name__ for cause in causes):
        return BrainError(
            "refused", f"TLS with the brain at {where} failed; check its certificate and https in {section}."
        )
    if never_sent(error):
        return BrainError("refused", f"Nothing listens at {where}; start the brain or set {section}.base_url.")
    return BrainError("server", f"The brain at {where} closed the connection without an answer; see its log.")


def _status(status: int, where: str, model: str, section: str) -> BrainError:
    if status in {401, 403}:
        return BrainError("auth", f"The brain at {where} refused the key (HTTP {status}); set {section}.api_key.")
    if status == 429:
        return BrainError("rate_limited", f"The brain at {where} is asked too often (HTTP 429); raise its limits.")
    if status == 404:
        return BrainError(
            "protocol",
            f"The brain at {where} knows no model {model!r} or no chat completions (HTTP 404); "
            f"check {section}.model and base_url, and that its HTTP endpoint is switched on.",
        )
    if status >= 500:
        return BrainError("server", f"The brain at {where} failed (HTTP {status}); see its log.")
    return BrainError("protocol", f"The brain at {where} refused the request (HTTP {status}); see its log.")


def never_sent(error: openai.OpenAIError) -> bool:
    """Whether no connection came about, so that the brain cannot have begun on the question.

    The client's HTTP library is httpx in openai 2 and httpx2 in openai 3; only the names agree.
    """
    return any(type(cause).__name__ in {"ConnectError", "ConnectTimeout"} for cause in _causes(error))


def may_ask_again(error: BaseException, *, stateful: bool) -> bool:
    """Whether the same question may be asked once more without being answered twice.

    Always when it was never sent. A stateless brain also when it said that it is busy for a moment, or when a kept
    connection proved dead: at worst it thinks twice. A stateful brain would keep the question twice in its memory.
    """
    if isinstance(error, openai.APIConnectionError):
        if isinstance(error, openai.APITimeoutError):
            return False  # The connect timeout is a caller's wait already.
        return never_sent(error) or not stateful
    if isinstance(error, openai.APIStatusError) and error.status_code in {429, 502, 503}:
        return not stateful and _retry_after_s(error) <= LONGEST_RETRY_AFTER_S
    return False


def _retry_after_s(error: openai.APIStatusError) -> float:
    try:
        return float(error.response.headers.get("retry-after", "0"))
    except ValueError:
        return float("inf")  # A date: certainly too long.


def _causes(error: BaseException) -> list[BaseException]:
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and len(causes) < 10:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    return causes
