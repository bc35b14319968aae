"""What the tests' callers say, as recordings: one text always sounds the same.

eSpeak's voice differs from one utterance to the next of a process, and the embedded recogniser mishears about one in
fifty of them. How well it hears is measured in its own tests; here everything else is at stake, so each text is spoken
by a process of its own, whose first utterance is always the same.
"""

from __future__ import annotations

import asyncio
import functools
import io
import subprocess
import sys

import numpy as np
from numpy.typing import NDArray

from toolbox.phone import Call, Spoken

_SPEAKER = """
import sys, numpy
from toolbox.phone.voice import speak
samples, rate_hz = speak(sys.argv[1], "en-us", rate_wpm=150)
numpy.savez(sys.stdout.buffer, samples=samples, rate_hz=rate_hz)
"""


@functools.cache
def recording(text: str) -> tuple[NDArray[np.float32], int]:
    """A text in a voice that the embedded recogniser knows: mono float32 [n] and the rate in Hz."""
    made = subprocess.run([sys.executable, "-c", _SPEAKER, text], check=True, capture_output=True, timeout=60)
    with np.load(io.BytesIO(made.stdout)) as arrays:
        return arrays["samples"], int(arrays["rate_hz"])


async def speak(call: Call, text: str) -> Spoken:
    """Say a text on a call."""
    samples, rate_hz = await asyncio.to_thread(recording, text)
    return call.say(samples, rate_hz, level_dbfs=-20.0)
