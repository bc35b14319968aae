"""The agent's prompts, spoken once before anybody calls, so that the text-to-speech service can keep them for good."""

from __future__ import annotations

import asyncio

from orchestrator.call_context import Services
from orchestrator.session import voice_for
from orchestrator.synthesis import SynthesisError
from orchestrator.wording import greets, texts_of
from servicekit.audio import MULAW_8K
from servicekit.logs import get_logger
from servicekit.server import Slots

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
_FAILURES = 10

log = get_logger(__name__)


async def prepare_in_advance(services: Services, slots: Slots) -> None:
    """Have every prompt of the settings' language spoken for the telephone, one at a time, while no call is live.

    The service is asked to keep them (`SynthesizeConfig.keep`): the words are set in one place, here, and after a
    restart of either side they are there at once. A service that is not up yet is waited for.
    """
    settings = services.settings
    voice = voice_for(services, MULAW_8K, settings.language)
    texts = texts_of(settings.prompts, settings.language)
    waiting = [text for text in texts.texts if text != texts.greeting or greets(settings.prompts)]
    failures, pause_s = 0, _FIRST_PAUSE_S
    while waiting:
        await slots.wait_idle()
        try:
            await services.prompts.get(waiting[0], voice)
        except SynthesisError as error:
            failures += 1
            if failures >= _FAILURES:
                log.warning("prompts not spoken in advance; each is when it is needed", code=error.code.name)
                return
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        else:
            del waiting[0]
