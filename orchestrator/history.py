"""The conversation as the brain is told it: what the caller said, and of the replies what the caller heard."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from orchestrator.brain import Message
from orchestrator.spoken import SpokenReply

# How an interrupted reply ends in the history: typography that every model knows, and harmless should it be imitated.
_BROKEN_OFF = "—"


@dataclass(slots=True)
class Exchange:
    """One turn in the history; a greeting has turn 0 and no words of the caller."""

    turn_id: int
    caller: str
    spoken: SpokenReply | None = None
    """The reply while it may still be heard; None once its text is settled."""
    reply: str = ""
    """What of the reply counts, once it is settled."""
    interrupted: bool = False
    ended: bool = False

    @property
    def said(self) -> str:
        """The reply as far as the caller heard it; wholly, once it was played to its end."""
        if self.spoken is None:
            return self.reply
        return self.spoken.written.strip() if self.ended and not self.interrupted else self.spoken.heard_text

    def settle(self) -> None:
        """Keep the text alone: later reports of what was heard come no more."""
        self.reply = self.said
        self.spoken = None

    def messages(self) -> Iterable[Message]:
        """As the brain reads it."""
        if self.caller:
            yield Message(role="user", content=self.caller)
        if self.interrupted:
            said = self.said
            yield Message(role="assistant", content=f"{said} {_BROKEN_OFF}" if said else _BROKEN_OFF)
        elif self.said:
            yield Message(role="assistant", content=self.said)


@dataclass(slots=True)
class History:
    """The exchanges of a call, oldest first."""

    exchanges: list[Exchange] = field(default_factory=list)
    overtaken: bool = False
    """Whether a reply was thrown away since the last question because the caller went on."""

    def greeted(self, spoken: SpokenReply) -> None:
        """The agent speaks without having been asked."""
        self._settle_all()
        self.exchanges.append(Exchange(0, "", spoken))

    def asked(self, turn_id: int, caller: str, joins: int = 0) -> Exchange:
        """A turn was committed; one that it joins is forgotten, since its words are part of this one's."""
        if joins:
            self.exchanges = [e for e in self.exchanges if e.turn_id != joins]
            self.overtaken = True
        self._settle_all()
        self.exchanges.append(Exchange(turn_id, caller))
        return self.exchanges[-1]

    def find(self, turn_id: int) -> Exchange | None:
        """The exchange of a turn, if it was committed."""
        return next((e for e in reversed(self.exchanges) if e.turn_id == turn_id), None)

    def ended(self, exchange: Exchange, *, interrupted: bool) -> None:
        """The exchange is over. What was heard of it may still be corrected by late reports."""
        exchange.ended = True
        exchange.interrupted = interrupted

    def messages(self, question: str | None = None, joins: int = 0) -> tuple[Message, ...]:
        """All of it for a request; ``question`` is what is asked now where its turn is not committed yet."""
        told = [m for e in self.exchanges if not joins or e.turn_id != joins for m in e.messages()]
        if question is not None:
            told.append(Message(role="user", content=question))
        return tuple(told)

    def context_line(self) -> str:
        """What a brain that keeps its own history must be told about its last answer; empty when it was all heard."""
        if self.overtaken:
            return "The caller went on speaking; your last answer was not heard. This replaces what they said before."
        before = next((e for e in reversed(self.exchanges) if e.ended), None)
        if before is None or not before.interrupted:
            return ""
        heard = before.said
        return (
            f"The caller interrupted your last answer and heard only: {heard}"
            if heard
            else ("The caller interrupted before hearing anything of your last answer.")
        )

    def _settle_all(self) -> None:
        for exchange in self.exchanges:
            if exchange.spoken is not None:
                exchange.settle()

    def dump(self) -> list[dict[str, Any]]:
        """For a checkpoint."""
        return [
            {"turn": e.turn_id, "caller": e.caller, "reply": e.said, "interrupted": e.interrupted, "ended": e.ended}
            for e in self.exchanges
        ]

    @classmethod
    def load(cls, rows: Iterable[dict[str, Any]]) -> History:
        """From a checkpoint.

        Raises:
            ValueError, KeyError, TypeError: it is not what ``dump`` gave.
        """
        return cls(
            [
                Exchange(
                    int(row["turn"]),
                    str(row["caller"]),
                    reply=str(row["reply"]),
                    interrupted=bool(row["interrupted"]),
                    ended=bool(row["ended"]),
                )
                for row in rows
            ]
        )
