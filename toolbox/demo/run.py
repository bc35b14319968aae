"""Playing the demo's call: four service processes, the demo brain, a collector for traces, and a telephone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
from rich.console import Console

from parley.stt.v1 import stt_pb2, stt_pb2_grpc
from parley.tts.v1 import tts_pb2, tts_pb2_grpc
from servicekit.channels import open_channel
from toolbox.demo.live import CallLogReader, LiveTranscript, follow
from toolbox.demo.report import Turn, filler_lead_ms, resumptions, shortcomings, turns_of
from toolbox.demo.scenario import Line, Scenario
from toolbox.demo.stage import CALLER, PARLEY, stage
from toolbox.demo_brain import MODEL, DemoBrain
from toolbox.phone import Call, Spoken
from toolbox.serve import SERVICES, ServiceFailedError, ServiceGroup, elsewhere

# A person waits this long after the other has stopped before they speak.
_POLITE_PAUSE_S = 0.7
_ANSWER_WITHIN_S = 20.0


@dataclass(frozen=True)
class Played:
    """One line as it was spoken."""

    line: Line
    spoken: Spoken
    requests_before: int
    """Requests the brain had had when the caller began to speak."""


@dataclass(frozen=True)
class Result:
    """What a demo call came to."""

    turns: list[Turn]
    barge_in_ms: float | None
    engines: dict[str, str]
    wav: Path
    traces: Path
    problems: list[str]
    first_sound_s: float
    resumed: int
    """How often the agent went on after a sign of listening."""

    @property
    def ok(self) -> bool:
        """Whether every line was understood and answered."""
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        """What ``--json`` prints, beside the common keys."""
        return {
            "turns": [turn.as_json() for turn in self.turns],
            "barge_in_ms": self.barge_in_ms,
            "resumed_interruptions": self.resumed,
            "engines": self.engines,
            "wav": str(self.wav),
            "traces": str(self.traces),
            "ok": self.ok,
            "problems": self.problems,
            "first_sound_after_s": round(self.first_sound_s, 2),
        }


async def play(
    scenario: Scenario,
    folder: Path,
    console: Console,
    *,
    settings: Sequence[str] = (),
    config: Path | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Result:
    """Play ``scenario`` once; leave ``call.wav``, ``traces.json``, the call log and the services' log in ``folder``.

    A recogniser or a voice that the settings look for elsewhere is not started.

    Raises:
        toolbox.serve.ServiceFailedError: A service could not start; it says why.
        toolbox.phone.CallEndedError: The call broke down before the scenario's end.
        TimeoutError: The agent stayed silent where it should have spoken, or did not hang up.
    """
    began = clock()
    others = elsewhere(settings)
    reader = CallLogReader(folder / "calls", coming=True)
    transcript = LiveTranscript(console)
    with (folder / "services.log").open("w", encoding="utf-8") as log:
        starting = console.status("starting recogniser, voice, orchestrator and gateway …")
        starting.start()
        try:
            async with stage(
                folder,
                greeting=scenario.greeting,
                settings=settings,
                config=config,
                services=[name for name in SERVICES if name not in others],
                on_line=lambda service, text: print(f"{service}: {text}", file=log),
                on_started=starting.stop,
            ) as house:
                engines = await _engines(house.group, others)
                async with _printing(reader, transcript), house.phone.call(to=PARLEY, from_=CALLER) as call:
                    async with asyncio.timeout(_ANSWER_WITHIN_S):
                        first_sound = await call.hears(after=began)
                    played = [await _play_line(call, house.brain, line) for line in scenario.lines]
                    async with asyncio.timeout(_ANSWER_WITHIN_S):
                        await call.wait_ended()
        finally:
            starting.stop()
    for entry in reader.read():
        transcript.show(entry)
    house.collector.write_traces(folder / "traces.json")
    # Signs of listening are no turns.
    played = [one for one in played if not one.line.listening]
    intents = _intents(house.brain, played)
    call.write_wav(folder / "call.wav")
    turns = turns_of(reader.entries)
    for turn, line in zip(turns, played, strict=False):
        turn.response_latency_ms = _response_latency_ms(call, line)
        lead_ms = filler_lead_ms(turn, reader.entries)
        if lead_ms is not None and turn.response_latency_ms is not None:
            # What was heard first is the filler, and that is no reply.
            turn.response_latency_ms = round(turn.response_latency_ms + lead_ms, 1)
    resumed = resumptions(reader.entries)
    return Result(
        turns=turns,
        barge_in_ms=_barge_in_ms(call, played),
        engines={**engines, "brain": MODEL},
        wav=folder / "call.wav",
        traces=folder / "traces.json",
        problems=shortcomings(scenario.lines, intents, turns, resumed=resumed),
        first_sound_s=first_sound - began,
        resumed=resumed,
    )


async def _play_line(call: Call, brain: DemoBrain, line: Line) -> Played:
    """Speak a line at its moment, and wait until the agent begins to answer it."""
    async with asyncio.timeout(_ANSWER_WITHIN_S):
        if line.interrupts_after_s is None:
            await call.hears_silence(_POLITE_PAUSE_S)
        else:
            await asyncio.sleep(line.interrupts_after_s)
    before = brain.requests.total
    spoken = await call.speak(line.text, voice="en-us", rate_wpm=150)
    await spoken.finished()
    async with asyncio.timeout(_ANSWER_WITHIN_S):
        await call.hears(after=spoken.speech_ended_at)
    return Played(line, spoken, before)


async def _engines(group: ServiceGroup, others: Mapping[str, str]) -> dict[str, str]:
    """Which engines really run, asked of the services themselves, be they somebody else's."""
    found = {}
    for name, ask in (("stt", _recogniser), ("tts", _voice)):
        address = others.get(name) or group.address(name)
        async with open_channel(address) as channel:
            try:
                found[name] = await ask(channel)
            except grpc.aio.AioRpcError as error:
                why = f"does not answer at {address} ({error.code().name}); see `parley conformance {name}`"
                raise ServiceFailedError(name, why, None, []) from None
    return found


async def _recogniser(channel: grpc.aio.Channel) -> str:
    info = await stt_pb2_grpc.SpeechToTextStub(channel).GetInfo(stt_pb2.GetInfoRequest(), timeout=_ANSWER_WITHIN_S)
    return info.engine


async def _voice(channel: grpc.aio.Channel) -> str:
    info = await tts_pb2_grpc.TextToSpeechStub(channel).GetInfo(tts_pb2.GetInfoRequest(), timeout=_ANSWER_WITHIN_S)
    return info.engine


@asynccontextmanager
async def _printing(reader: CallLogReader, transcript: LiveTranscript) -> AsyncIterator[None]:
    task = asyncio.create_task(follow(reader, transcript))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _intents(brain: DemoBrain, played: Sequence[Played]) -> list[str]:
    """What the brain took each line for: the last request made between it and the next line."""
    records = list(brain.requests)
    ends = [*(line.requests_before for line in played[1:]), len(records)]
    found = []
    for line, end in zip(played, ends, strict=True):
        asked = records[line.requests_before : end]
        found.append(str(asked[-1].intent) if asked else "nothing")
    return found


def _response_latency_ms(call: Call, played: Played) -> float | None:
    """True end of the caller's speech → first received frame of the reply above −45 dBFS."""
    ended = after = played.spoken.speech_ended_at
    if played.line.interrupts_after_s is not None:
        # What still arrives of the interrupted reply is no answer.
        after = max(after, call.heard.first_clear(after=played.spoken.speech_started_at) or after)
    at = call.heard.first_received_above(after=after)
    return None if at is None else round((at - ended) * 1000, 1)


def _barge_in_ms(call: Call, played: Sequence[Played]) -> float | None:
    """Caller's first speech → `clear` received, for the first line that interrupts."""
    for line in played:
        if line.line.interrupts_after_s is not None:
            began = line.spoken.speech_started_at
            at = call.heard.first_clear(after=began)
            return None if at is None else round((at - began) * 1000, 1)
    return None
