"""The conversation as the brain is told it: what the caller said, and of the replies what the caller heard."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from orchestrator.brain import Message
from orchestrator.spoken import SpokenReply
from orchestrator.tools import ToolRound

# How an interrupted reply ends in the history: typography that every model knows, and harmless should it be imitated.
_BROKEN_OFF = "—"
# A line of context is short: so many exchanges, and so much of what was heard, from its end.
_MOST_TOLD = 3
_LONGEST_TOLD = 300


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
    by_fallback: bool = False
    """Whether another brain than the call's own answered."""
    rounds: list[ToolRound] = field(default_factory=list)
    """What the reply did with tools; may still grow while it is made."""
    earlier: list[ToolRound] = field(default_factory=list)
    """What was carried out for a turn that this one joins: the reply is forgotten, the deed is done."""

    @property
    def said(self) -> str:
        """The reply as far as the caller heard it; wholly, once it was played to its end."""
        if self.spoken is None:
            return self.reply
        return self.spoken.written.strip() if self.ended and not self.interrupted else self.spoken.heard_text

    def answered(self, spoken: SpokenReply | None, rounds: list[ToolRound]) -> None:
        """A candidate is spoken for it, with what that does with tools; may be called again, also for another one.

        What the tools of a candidate before it have done stays known.
        """
        if rounds is not self.rounds:
            self.earlier += [done for done in self.rounds if done.carried_out]
            self.rounds = rounds
        self.spoken = spoken

    def settle(self) -> None:
        """Keep the text alone: later reports of what was heard come no more."""
        self.reply = self.said
        self.by_fallback = self.from_fallback
        self.spoken = None

    @property
    def from_fallback(self) -> bool:
        """Whether the call's own brain knows nothing of the reply."""
        return self.by_fallback or (self.spoken is not None and self.spoken.by_fallback)

    def told(self) -> Iterable[ToolRound]:
        """All rounds of tools, oldest first."""
        return (*self.earlier, *self.rounds)

    def messages(self) -> Iterable[Message]:
        """As the brain reads it."""
        if self.caller:
            yield Message(role="user", content=self.caller)
        for done in self.earlier:
            yield from done.messages("")
        said = self.said
        for tool_round in self.rounds:
            heard, said = tool_round.split(said)
            yield from tool_round.messages(heard)
        if self.interrupted:
            yield Message(role="assistant", content=f"{said} {_BROKEN_OFF}" if said else _BROKEN_OFF)
        elif said:
            yield Message(role="assistant", content=said)


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
        done = self._done_in(joins)
        if joins:
            self.exchanges = [e for e in self.exchanges if e.turn_id != joins]
            self.overtaken = True
        self._settle_all()
        self.exchanges.append(Exchange(turn_id, caller, earlier=done))
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
            told += [m for done in self._done_in(joins) for m in done.messages("")]
        return tuple(told)

    def _done_in(self, turn_id: int) -> list[ToolRound]:
        """What tools have done in a turn whose reply is forgotten: that cannot be."""
        exchange = self.find(turn_id) if turn_id else None
        return [done for done in exchange.told() if done.carried_out] if exchange is not None else []

    def context_line(self) -> str:
        """What a brain that keeps its own history must be told, since it cannot know it; empty when there is nothing.

        What the caller heard of its last answer, what another brain said meanwhile, and what became of its tools.
        """
        ended = [e for e in self.exchanges if e.ended]
        own = next((e for e in reversed(ended) if not e.from_fallback), None)
        others = ended[ended.index(own) + 1 :] if own is not None else ended
        parts = [_told_of(e) for e in others[-_MOST_TOLD:] if e.from_fallback]
        if self.overtaken:
            parts.append(
                "The caller went on speaking; your last answer was not heard. This replaces what they said before."
            )
        elif ended and ended[-1].interrupted and ended[-1] is own:
            heard = own.said
            parts.append(
                f"The caller interrupted your last answer and heard only: {_end_of(heard)}"
                if heard
                else "The caller interrupted before hearing anything of your last answer."
            )
        late = [use for r in (ended[-1].told() if ended else ()) for use in r.uses if use.result and not use.told]
        parts += [f"{use.call.name}: {use.result}" for use in late]
        return " ".join(parts)

    def _settle_all(self) -> None:
        for exchange in self.exchanges:
            if exchange.spoken is not None:
                exchange.settle()

    def dump(self) -> list[dict[str, Any]]:
        """For a checkpoint."""
        return [_dump(exchange) for exchange in self.exchanges]

    @classmethod
    def load(cls, rows: Iterable[dict[str, Any]]) -> History:
        """From a checkpoint.

        Raises:
            ValueError, KeyError, TypeError: it is not what ``dump`` gave.
        """
        return cls([_load(row) for row in rows])


def _dump(exchange: Exchange) -> dict[str, Any]:
    row: dict[str, Any] = {
        "turn": exchange.turn_id,
        "caller": exchange.caller,
        "reply": exchange.said,
        "interrupted": exchange.interrupted,
        "ended": exchange.ended,
    }
    if exchange.from_fallback:
        row["fallback"] = True
    # Left out where there is nothing, which is nearly always.
    for name, rounds in (("rounds", exchange.rounds), ("earlier", exchange.earlier)):
        if rounds:
            row[name] = [tool_round.dump() for tool_round in rounds]
    return row


def _load(row: dict[str, Any]) -> Exchange:
    return Exchange(
        int(row["turn"]),
        str(row["caller"]),
        reply=str(row["reply"]),
        interrupted=bool(row["interrupted"]),
        ended=bool(row["ended"]),
        by_fallback=bool(row.get("fallback", False)),
        rounds=[ToolRound.load(each) for each in row.get("rounds", ())],
        earlier=[ToolRound.load(each) for each in row.get("earlier", ())],
    )


def _told_of(exchange: Exchange) -> str:
    """One exchange that the call's own brain had no part in."""
    said = exchange.said
    answer = f'was told: "{_end_of(said)}"' if said else "was told nothing."
    asked = f'The caller said: "{_end_of(exchange.caller)}". ' if exchange.caller else ""
    return f"{asked}You did not answer; the caller {answer}"


def _end_of(text: str) -> str:
    return text if len(text) <= _LONGEST_TOLD else f"…{text[-_LONGEST_TOLD:]}"
