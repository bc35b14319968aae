"""Voices are equally loud, whatever their engine thinks of it."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from numpy.typing import NDArray

from servicekit.audio import WireDecoder, pcm
from servicekit.telemetry import Telemetry
from tests.asyncs import async_test
from tests.unit.tts_service.loopback import FINISH, config, serving, synthesize, text
from tts_service import espeak_speech
from tts_service.cache import SegmentCache
from tts_service.espeak.engine import EspeakEngine
from tts_service.levels import SpeechLevel, VoiceLevels, speech_level
from tts_service.segment_sound import SegmentSound
from tts_service.settings import CacheSettings, TtsSettings
from tts_service.speaking import Speaking
from tts_service.speech import Passage, SpeechChunk
from tts_service.voices import Voice

RATE = 22_050
VOICE = Voice("en", (("en", 1),), "")


def speech(gain_db: float = 0.0, text: str = "The weather will be fine, and warm in the south.") -> NDArray[np.float32]:
    samples, _ = espeak_speech(text, "en")
    return samples * np.float32(10 ** (gain_db / 20))


def dbfs(level: SpeechLevel) -> float:
    return float(10 * np.log10(level.power))


def heard(levels: VoiceLevels, samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """What comes out for one segment, from which the level is learned."""
    sound = SegmentSound(RATE, pcm(24_000), levels, levels.gain(VOICE))
    payload = b"".join(sound.add(SpeechChunk(samples[at : at + 4410])) for at in range(0, len(samples), 4410))
    payload += sound.end()
    levels.learn(VOICE, sound.level())
    return WireDecoder(pcm(24_000)).decode(payload)


def test_pauses_do_not_count_as_speech() -> None:
    once = speech()
    paused = np.concatenate([once, np.zeros(RATE * 2, dtype=np.float32), once])
    # Where a block begins in a syllable makes a difference of up to 0.3 dB; two seconds of silence would make three.
    assert dbfs(speech_level(paused, RATE)) == pytest.approx(dbfs(speech_level(once, RATE)), abs=0.5)


@pytest.mark.parametrize("own_db", [-12.0, -6.0, 0.0, 6.0])
def test_a_known_voice_is_brought_to_the_target(own_db: float) -> None:
    levels = VoiceLevels(-20.0)
    heard(levels, np.clip(speech(own_db), -1, 1))
    out = heard(levels, np.clip(speech(own_db, "There are seven messages waiting for you today."), -1, 1))
    assert dbfs(speech_level(out, 24_000)) == pytest.approx(-20.0, abs=2.0)
    assert float(np.abs(out).max()) <= 1.0


def test_an_unknown_voice_is_brought_near_it_by_its_first_chunk() -> None:
    out = heard(VoiceLevels(-20.0), speech(-12.0))
    assert dbfs(speech_level(out, 24_000)) == pytest.approx(-20.0, abs=5.0)


@pytest.mark.parametrize("chunk_ms", [7, 40, 200])
def test_a_quiet_beginning_does_not_clip_what_follows(chunk_ms: int) -> None:
    samples = speech(-2.0)
    samples = samples[np.flatnonzero(np.abs(samples) > 0.02)[0] :]
    samples *= np.minimum(1.0, 0.15 + np.arange(len(samples)) / RATE).astype(np.float32)
    sound = SegmentSound(RATE, pcm(24_000), VoiceLevels(-20.0), None)
    length = RATE * chunk_ms // 1000
    chunks = [samples[at : at + length] for at in range(0, len(samples), length)]
    payload = b"".join(sound.add(SpeechChunk(chunk)) for chunk in chunks) + sound.end()
    assert float(np.abs(WireDecoder(pcm(24_000)).decode(payload)).max()) < 0.995


def test_a_voice_that_is_right_is_not_touched() -> None:
    levels = VoiceLevels(-20.0)
    heard(levels, speech())
    assert levels.gain(VOICE) == 1.0


def test_the_gain_does_not_follow_every_sentence() -> None:
    levels = VoiceLevels(-20.0)
    heard(levels, speech(-8.0))
    first = levels.gain(VOICE)
    for change_db in (-9.0, -7.0, -8.5, -7.5):
        heard(levels, speech(change_db))
    assert levels.gain(VOICE) == first


def test_a_voice_is_made_no_louder_than_its_peaks_allow() -> None:
    levels = VoiceLevels(-12.0)
    samples = speech(-3.0)
    heard(levels, samples)
    gain = levels.gain(VOICE)
    assert gain is not None
    assert gain > 1.2
    assert gain * float(np.abs(samples).max()) <= 0.98 + 1e-6


def test_turned_off_it_changes_nothing() -> None:
    levels = VoiceLevels(-20.0, enabled=False)
    assert levels.gain(VOICE) == 1.0
    levels.learn(VOICE, SpeechLevel(1e-4, 100, 0.1))
    assert levels.gain(VOICE) == 1.0


@async_test
async def test_the_default_voice_is_known_before_the_first_caller_and_fixed_wording_waits_for_another() -> None:
    engine = EspeakEngine(TtsSettings())
    speaking = Speaking(engine, TtsSettings(), SegmentCache(CacheSettings(), Telemetry("parley-tts")))
    await speaking.warm_up()
    whisper = engine.voices.named("en+whisper")
    assert speaking.begin(passage(engine.voices.default), pcm(8000)).level_known
    assert not speaking.begin(passage(whisper), pcm(8000)).level_known
    await asyncio.gather(speaking.know(whisper), speaking.know(whisper))
    assert speaking.begin(passage(whisper), pcm(8000)).level_known
    await engine.close()
    await speaking.cache.close()


@async_test
async def test_what_was_spoken_at_a_guessed_level_is_not_kept() -> None:
    async with serving(EspeakEngine(TtsSettings()), TtsSettings()) as service:
        messages = [config(voice="en+whisper"), text(1, "One moment, I am looking it up for you."), FINISH]
        kept = [{message.cached for message in (await synthesize(service.stub, messages)).audio} for _ in range(3)]
    assert kept == [{False}, {False}, {True}]


def passage(voice: Voice) -> Passage:
    return Passage("Hello.", voice, "en", 1.0)
