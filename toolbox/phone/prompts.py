"""`<Say>`, `<Play>` and `<Pause>`: what the exchange itself lets the caller hear."""

from __future__ import annotations

import asyncio
from urllib.parse import urljoin, urlsplit

import numpy as np

from servicekit.audio import encode_mulaw, to_int16
from toolbox.phone.call import Call
from toolbox.phone.exchange import Exchange
from toolbox.phone.knobs import SAMPLE_RATE_HZ
from toolbox.phone.line import over_telephone
from toolbox.phone.notices import HTTP_RETRIEVAL_FAILURE, INVALID_CONTENT_TYPE, Notice
from toolbox.phone.verbs import Pause, Play, Say
from toolbox.phone.wav import WavError, wav_to_mulaw
from toolbox.phone.webhooks import WebhookError, WebhookReply, signed_request

_BEEP_S, _BEEP_HZ = 0.3, 1000.0
_AUDIO_TYPES = frozenset({"audio/wav", "audio/wave", "audio/x-wav", "audio/vnd.wave"})


class Prompts:
    """Plays to one call."""

    def __init__(self, exchange: Exchange, call: Call) -> None:
        self._exchange = exchange
        self._call = call

    async def perform(self, verb: Say | Play | Pause, base: str) -> None:
        """Perform one prompt; returns when it has been heard to its end."""
        match verb:
            case Say():
                await self._say(verb)
            case Play():
                await self._play(verb, base)
            case Pause(length_s=length):
                await asyncio.sleep(length)

    async def beep(self) -> None:
        """The tone before a recording."""
        time = np.arange(round(_BEEP_S * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
        tone = (0.25 * np.sin(2 * np.pi * _BEEP_HZ * time)).astype(np.float32)
        await self.hear(encode_mulaw(to_int16(tone)))

    async def hear(self, audio: bytes, times: int = 1) -> None:
        """Let the caller hear μ-law audio, to its end."""
        handset = self._call.handset
        try:
            for _ in range(times):
                end = handset.play(audio)
                await asyncio.sleep(max(0.0, handset.heard.time_of(end) - self._exchange.clock()))
        except asyncio.CancelledError:
            handset.hush()
            raise

    async def _say(self, verb: Say) -> None:
        render = self._exchange.say_voice
        if render is None:
            await asyncio.sleep(verb.loop * len(verb.text) * self._exchange.knobs.say_s_per_character)
            return
        samples, rate_hz = await asyncio.to_thread(render, verb.text, verb.language, verb.voice)
        await self.hear(over_telephone(samples, rate_hz), verb.loop)

    async def _play(self, verb: Play, base: str) -> None:
        if verb.digits:
            # The far end hears tones; here there is nobody to dial on to, so only their time passes.
            await asyncio.sleep(0.25 * len(verb.digits))
        if not verb.url:
            return
        url = urljoin(base, verb.url)
        if urlsplit(url)[:2] != urlsplit(base)[:2]:
            # This telephone has no network beyond its gateway.
            self._call.notices.append(Notice(HTTP_RETRIEVAL_FAILURE, "only the gateway's own files are played"))
            return
        request = signed_request(self._exchange.auth_token, url, self._exchange.parameters_of(self._call), method="GET")
        try:
            audio = _audio_of(await self._exchange.send(self._call, request))
        except WebhookError as error:
            self._call.notices.append(error.notice)
        except WavError as error:
            self._call.notices.append(Notice(INVALID_CONTENT_TYPE, str(error)))
        else:
            await self.hear(audio, verb.loop)


def _audio_of(reply: WebhookReply) -> bytes:
    if reply.content_type not in _AUDIO_TYPES:
        raise WavError(f"{reply.content_type or 'no content type'} is not a WAV file")
    return wav_to_mulaw(reply.body)
