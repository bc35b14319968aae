"""What the voice says is recognised again: it guards against broken audio, and proves by controls that it would see it.

The embedded pair, over the telephone's format: the voice of the demo's caller, and the recogniser with the demo's own
grammar. A word has come back when it is heard where the voice says that it lies: words alone survive sound with a tenth
of its frames missing, their places do not. The controls are the same sound spoilt on its way.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parley.stt.v1 import stt_pb2, stt_pb2_grpc
from servicekit.audio import MULAW_8K, decode_mulaw, encode_mulaw, to_float, to_int16
from servicekit.channels import open_channel
from toolbox.bench.edits import edits
from toolbox.bench.tts.client import SpokenWord, Voice, speak
from toolbox.bench.tts.service import running_voice
from toolbox.serve import ServiceGroup, standard_specs
from toolbox.serve.spec import ServiceSpec

SENTENCES = (
    *("what time is it", "what is the time now", "tell me the time", "what is the weather today", "what is your name"),
    *("who are you", "tell me a long story", "good morning", "how are you", "thank you goodbye"),
    *("stop please", "wait a moment", "what is seven plus five", "how much is twenty one minus nine"),
    *(
        "what is eighty four divided by seven",
        "how much is thirteen times eleven",
        "what is one hundred minus sixty two",
    ),
    *("how much is ninety nine plus sixteen", "what is fifty five times three", "how much is forty divided by eight"),
)
"""Sentences of the demo's grammar."""
DEMO_VOICE = "en-us"
OTHER_VOICES = ("en", "en-gb-x-rp", "en-us+f3", "en-us+m3")
_SPEED = 0.91
"""The demo's caller speaks 150 words a minute."""
_SILENCE = encode_mulaw(np.zeros(2400, dtype=np.int16))
_FRAME_BYTES = 160
_PLACE_S = 0.05
"""So far may a word's beginning be heard from where it lies; of undamaged speech 99 in 100 are within 35 ms."""

Spoiling = Callable[[bytes, random.Random], bytes]


def dropped_frames(sound: bytes, chance: random.Random) -> bytes:
    """One frame of 20 ms in ten is missing."""
    frames = [sound[at : at + _FRAME_BYTES] for at in range(0, len(sound), _FRAME_BYTES)]
    return b"".join(frame for frame in frames if chance.random() >= 0.1)


def wrong_rate(sound: bytes, _: random.Random) -> bytes:
    """Made for 16 kHz and played at 8 kHz: half as fast and an octave lower."""
    return _changed(sound, lambda samples: np.interp(np.arange(0, len(samples), 0.5), np.arange(len(samples)), samples))


def clipped(sound: bytes, _: random.Random) -> bytes:
    """Thirty decibels too loud, cut off at full scale."""
    return _changed(sound, lambda samples: np.clip(samples * 31.6, -1.0, 1.0))


CONTROLS: dict[str, Spoiling] = {"frames_dropped": dropped_frames, "wrong_rate": wrong_rate, "clipping": clipped}


async def measure_round_trip(
    *, short: bool, settings: Sequence[str], config: Path | None, on_sentences: Callable[[int], None]
) -> dict[str, Any]:
    """The share of words that come back, in percent: of the demo's voice, of others, and of the controls.

    Raises ServiceFailedError.
    """
    sentences = SENTENCES[::4] if short else SENTENCES
    others = OTHER_VOICES[:1] if short else OTHER_VOICES
    heard = 0

    async with running_voice("tts.engine=espeak", config=config, more=settings) as voice, _recogniser() as stt:

        async def share(name: str, spoil: Spoiling | None = None) -> float:
            nonlocal heard
            chance = random.Random(name)
            right = words = 0
            for sentence in sentences:
                spoken = await speak(voice.stub, [sentence], Voice(name, _SPEED))
                sound = _SILENCE + spoken.payload + _SILENCE
                words_heard = await recognise(stt, spoil(sound, chance) if spoil else sound)
                words += len(spoken.words)
                right += len(spoken.words) - word_errors(spoken.words, words_heard)
                heard += 1
                on_sentences(heard)
            return round(max(0.0, 100 * right / words), 1)

        return {
            "round_trip_word_pct": await share(DEMO_VOICE),
            "round_trip": {
                "voice": DEMO_VOICE,
                "sentences": len(sentences),
                "other_voices": {name: await share(name) for name in others},
                "controls": {name: await share(DEMO_VOICE, spoil) for name, spoil in CONTROLS.items()},
            },
        }


def steps(*, short: bool) -> int:
    """How many sentences are recognised in all."""
    sentences, others = (len(SENTENCES[::4]), 1) if short else (len(SENTENCES), len(OTHER_VOICES))
    return sentences * (1 + others + len(CONTROLS))


@contextlib.asynccontextmanager
async def _recogniser() -> AsyncIterator[stt_pb2_grpc.SpeechToTextAsyncStub]:
    (spec,) = standard_specs(("stt",), any_port=True)
    settings = (*spec.settings, "logs.level=warning", "logs.format=json", "stt.engine=pocketsphinx")
    specs = [ServiceSpec("stt", spec.module, (), settings, listen=spec.listen)]
    async with (
        ServiceGroup(specs, restart=None, stop_timeout_s=8.0) as group,
        open_channel(group.address("stt")) as channel,
    ):
        yield stt_pb2_grpc.SpeechToTextStub(channel)


async def recognise(stub: stt_pb2_grpc.SpeechToTextAsyncStub, sound: bytes) -> list[SpokenWord]:
    """The words of μ-law sound at 8 kHz that begins with our silence; their times are from the silence's end."""

    async def utterance() -> AsyncIterator[stt_pb2.RecognizeRequest]:
        config = stt_pb2.RecognizeConfig(
            format=MULAW_8K, languages=["en"], profile=stt_pb2.PROFILE_LIVE, word_times=True
        )
        yield stt_pb2.RecognizeRequest(config=config)
        for at in range(0, len(sound), _FRAME_BYTES):
            yield stt_pb2.RecognizeRequest(audio=stt_pb2.AudioChunk(payload=sound[at : at + _FRAME_BYTES]))
            await asyncio.sleep(0)
        yield stt_pb2.RecognizeRequest(finish=stt_pb2.Finish())

    lead = len(_SILENCE)
    words: list[SpokenWord] = []
    async for message in stub.Recognize(utterance()):
        if message.HasField("final"):
            words = [
                SpokenWord(
                    each.word,
                    (each.start_sample - lead) / MULAW_8K.sample_rate_hz,
                    (each.end_sample - lead) / MULAW_8K.sample_rate_hz,
                )
                for each in message.final.words
            ]
    return words


def word_errors(said: Sequence[SpokenWord], heard: Sequence[SpokenWord]) -> int:
    """Words to change, add or remove to make one of the other; a word that is heard elsewhere is another."""
    return edits(said, heard, _same)


def _same(said: SpokenWord, heard: SpokenWord) -> bool:
    return said.text.lower() == heard.text.lower() and abs(said.start_s - heard.start_s) <= _PLACE_S


def _changed(sound: bytes, change: Callable[[NDArray[np.float32]], NDArray[Any]]) -> bytes:
    return encode_mulaw(to_int16(change(to_float(decode_mulaw(sound))).astype(np.float32)))
