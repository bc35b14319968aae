"""A speech service to ask: one that runs, or one that is started for the question."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from toolbox.serve import ServiceGroup, standard_specs


@asynccontextmanager
async def speech_service(target: str, *, config: Path | None, settings: Sequence[str]) -> AsyncIterator[str]:
    """The address of a service: `target`, or a text-to-speech service started with the settings, which then ends.

    Raises ServiceFailedError when it does not start; it says why.
    """
    if target:
        yield target
        return
    async with ServiceGroup(
        standard_specs(["tts"], any_port=True), config=config, settings=settings, restart=None
    ) as group:
        yield group.address("tts")
