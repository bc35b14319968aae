"""One call: what is said, what is heard, and what happened when."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolbox.call.sentences import Sentence
from toolbox.phone import Call, CallEndedError, SimulatedTwilio

_AUDIBLE_DBFS = -45.0
_SILENCE_S = 0.8
_TAIL_S = 0.3


@dataclass(frozen=True, kw_only=True)
class CallPlan:
    """What to do. Times in seconds."""

    webhook_url: str
    account_sid: str
    auth_token: str = field(repr=False)
    from_: str
    to: str
    sentences: tuple[Sentence, ...]
    interrupt_after_s: float | None
    patience_s: float
    wav: Path | None


@dataclass
class Happening:
    """One thing that happened, so many seconds after the receiver was picked up."""

    at_s: float
    what: str


@dataclass
class CallReport:
    """How a call went."""

    status: str = ""
    seconds: float = 0.0
    answered: bool = False
    said: list[dict[str, Any]] = field(default_factory=list)
    happenings: list[Happening] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    wav: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the call was answered and so was everything that was said."""
        return self.answered and all(said["response_latency_ms"] is not None for said in self.said)


async def place_call(plan: CallPlan, on_happening: Callable[[Happening], None]) -> CallReport:
    """Make the call and tell what happens as it happens."""
    report = CallReport()
    began = time.monotonic()

    def tell(what: str, at: float | None = None) -> None:
        happening = Happening(round((at or time.monotonic()) - began, 2), what)
        report.happenings.append(happening)
        on_happening(happening)

    async with SimulatedTwilio(plan.account_sid, plan.auth_token, rest_port=None) as phone:
        phone.add_number(plan.to, plan.webhook_url)
        call = phone.call(to=plan.to, from_=plan.from_)
        try:
            async with call:
                await _talk(call, plan, report, tell)
                await asyncio.sleep(_TAIL_S)
                tell("you hang up")
        except CallEndedError as ended:
            tell(f"the call is over: {ended}" if not report.answered else "the agent hung up")
        except TimeoutError:
            tell(f"given up: nothing happened for {plan.patience_s:g} s")
        report.status = call.status
        report.seconds = round(time.monotonic() - began, 2)
        report.notices = [str(notice) for notice in call.notices]
        if plan.wav is not None and report.answered:
            await asyncio.to_thread(call.write_wav, plan.wav)
            report.wav = str(plan.wav)
    return report


async def _talk(call: Call, plan: CallPlan, report: CallReport, tell: Callable[..., None]) -> None:
    async with asyncio.timeout(plan.patience_s):
        await call.connected()
    report.answered = True
    tell("answered, the media stream is open")
    async with asyncio.timeout(plan.patience_s):
        heard_at = await call.hears(_AUDIBLE_DBFS, after=0.0)
    tell("the agent greets you", heard_at)
    for number, sentence in enumerate(plan.sentences):
        if number and plan.interrupt_after_s is not None:
            await asyncio.sleep(plan.interrupt_after_s)
        else:
            await call.hears_silence(_SILENCE_S)
        said: dict[str, Any] = {"text": sentence.text, "response_latency_ms": None, "barge_in_ms": None}
        report.said.append(said)
        spoken = await call.play_mulaw(sentence.audio).finished()
        tell(f"you say: {sentence.text}", spoken.speech_started_at)
        async with asyncio.timeout(plan.patience_s):
            heard_at = await call.hears(_AUDIBLE_DBFS, after=spoken.speech_ended_at)
        cleared_at = call.heard.first_clear(after=spoken.speech_started_at)
        if cleared_at is not None and cleared_at <= heard_at:
            said["barge_in_ms"] = round((cleared_at - spoken.speech_started_at) * 1000, 1)
            tell(f"the agent falls silent after {said['barge_in_ms']:.0f} ms", cleared_at)
        said["response_latency_ms"] = round((heard_at - spoken.speech_ended_at) * 1000, 1)
        tell(f"the agent answers after {said['response_latency_ms']:.0f} ms", heard_at)
    silent_at = await call.hears_silence(_SILENCE_S)
    tell("the agent has finished", silent_at)
