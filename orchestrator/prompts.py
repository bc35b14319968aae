"""Fixed things to say, rendered once and kept: greeting and apologies."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from orchestrator.heard import Range, SegmentText
from orchestrator.spoken import SpokenReply
from orchestrator.synthesis import VoiceOptions

MAX_KEPT = 64


@dataclass(frozen=True, slots=True)
class RenderedSegment:
    """One segment's text, sound and alignment."""

    text: SegmentText
    payload: bytes
    ranges: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class Rendering:
    """A text in one voice and format, ready to be played any number of times."""

    text: str
    segments: tuple[RenderedSegment, ...]

    def play_into(self, spoken: SpokenReply) -> None:
        """Fill a reply with it."""
        spoken.written = self.text
        for index, segment in enumerate(self.segments):
            spoken.begin_segment(segment.text)
            if segment.payload:
                spoken.add_audio(index, segment.payload)
            spoken.align(index, list(segment.ranges))
            spoken.segment_done(index)
        spoken.close()

    @classmethod
    def of(cls, text: str, spoken: SpokenReply) -> Rendering:
        """Keep what a complete reply holds, of which nothing was played yet."""
        return cls(
            text,
            tuple(RenderedSegment(s.text, spoken.read(s.start, s.samples), tuple(s.ranges)) for s in spoken.segments),
        )


Render = Callable[[Sequence[SegmentText], VoiceOptions], Awaitable[SpokenReply]]


class Prompts:
    """Renders each prompt once per voice and format; ``render`` speaks segments completely."""

    def __init__(self, render: Render, cut: Callable[[str, str], Sequence[SegmentText]]) -> None:
        self._render = render
        self._cut = cut
        self._kept: OrderedDict[tuple[str, VoiceOptions], Rendering] = OrderedDict()
        self._rendering: dict[tuple[str, VoiceOptions], asyncio.Task[Rendering]] = {}

    def kept(self, text: str, voice: VoiceOptions) -> Rendering | None:
        """The rendering, if it is there already."""
        rendering = self._kept.get((text, voice))
        if rendering is not None:
            self._kept.move_to_end((text, voice))
        return rendering

    async def get(self, text: str, voice: VoiceOptions) -> Rendering:
        """The rendering, made now if need be; whoever asks meanwhile waits for the same one.

        Raises:
            SynthesisError: it could not be made; the next to ask tries again.
        """
        if (rendering := self.kept(text, voice)) is not None:
            return rendering
        key = (text, voice)
        task = self._rendering.get(key)
        if task is None:
            task = asyncio.create_task(self._make(text, voice))
            self._rendering[key] = task
            task.add_done_callback(lambda _: self._rendering.pop(key, None))
        # A caller who hangs up must not take the rendering from the next one.
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Give up what is being rendered."""
        tasks = list(self._rendering.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _make(self, text: str, voice: VoiceOptions) -> Rendering:
        spoken = await self._render(self._cut(text, voice.language), voice)
        rendering = Rendering.of(text, spoken)
        self._kept[text, voice] = rendering
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return rendering
