"""One gateway and one telephone for the tests of this package."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from servicekit.audio import encode_mulaw
from tests.fakes.phone_gateway import OUR_NUMBER, TOKEN, FakeGateway, FakeStream
from toolbox.phone import Knobs, SayVoice, SimulatedTwilio

HANG_GUARD_S = 30.0
"""No test waits longer; none measures this."""


@dataclass
class World:
    """A gateway and a telephone that knows its number."""

    gateway: FakeGateway
    phone: SimulatedTwilio


@contextlib.asynccontextmanager
async def world(
    on_stream: Callable[[FakeStream], Awaitable[None]] | None = None,
    *,
    knobs: Knobs | None = None,
    say_voice: SayVoice | None = None,
    voice: str | None = None,
    rest: bool = False,
) -> AsyncIterator[World]:
    """Start both; `voice` is the TwiML of the number's voice URL, by default a stream; `rest` serves the REST API."""
    gateway = FakeGateway() if on_stream is None else FakeGateway(on_stream)
    async with (
        asyncio.timeout(HANG_GUARD_S),
        gateway,
        SimulatedTwilio(auth_token=TOKEN, knobs=knobs, say_voice=say_voice, rest_port=0 if rest else None) as phone,
    ):
        gateway.replies["/voice"] = gateway.connect() if voice is None else voice
        gateway.replies["/status"] = ""
        phone.add_number(OUR_NUMBER, gateway.base + "/voice", status_callback=gateway.base + "/status")
        yield World(gateway, phone)


def loud(seconds: float, seed: int = 1) -> bytes:
    """Something audible: noise at about −15 dBFS, μ-law."""
    samples: NDArray[np.int16] = (
        np.random.default_rng(seed).standard_normal(round(seconds * 8000)).clip(-3, 3) * 6000
    ).astype(np.int16)
    return encode_mulaw(samples)


def quiet(seconds: float) -> bytes:
    """Digital silence, μ-law."""
    return b"\xff" * round(seconds * 8000)
