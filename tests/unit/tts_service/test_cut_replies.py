"""A reply cut off at any moment: nothing follows, the slot comes back, and what is kept of it is whole and right."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from parley.tts.v1 import tts_pb2
from servicekit.audio import MULAW_8K
from servicekit.protocol import SynthesizeOrder
from servicekit.server import Slots
from servicekit.telemetry import Telemetry
from tests.asyncs import async_test
from tests.fakes.tts_service_engine import FakeEngine
from tests.unit.tts_service.loopback import FINISH, FLUSH, config, text
from tts_service.cache import CachedSegment, DiskCache, SegmentCache
from tts_service.delivery import ReplyDelivery
from tts_service.espeak.engine import EspeakEngine
from tts_service.reply import Reply
from tts_service.settings import CacheSettings, TtsSettings
from tts_service.speaking import Speaking
from tts_service.speech import Passage

SETTINGS = TtsSettings(normalise=False)
SEGMENTS = ("abc", "de", "fghij", "de")
"""The last is the second again: from the cache, where the reply gets so far."""


class Cut:
    """Writes a reply's messages, and cancels it in the midst of one of them."""

    def __init__(self, at: int) -> None:
        """``at`` counts messages from 1; 0 never cuts."""
        self.at = at
        self.written: list[tts_pb2.SynthesizeResponse] = []
        self.cancel: Callable[[], object] = lambda: None

    async def write(self, message: tts_pb2.SynthesizeResponse) -> None:
        """As the stream's own write does: it gives the others a turn, and is where a cancellation is felt."""
        self.written.append(message)
        if len(self.written) == self.at:
            self.cancel()
        await asyncio.sleep(0)

    def whole_segments(self) -> set[int]:
        """Those that the client was told are done."""
        return {message.segment_done.segment for message in self.written if message.HasField("segment_done")}


async def wanted() -> AsyncIterator[tts_pb2.SynthesizeRequest]:
    """A client that has written everything and listens."""
    for number, words in enumerate(SEGMENTS, start=1):
        yield text(number, words)
        yield FLUSH
    yield FINISH
    await asyncio.Event().wait()


async def reply(speaking: Speaking, slots: Slots, cut: Cut, *, keep: bool) -> None:
    """One RPC, until it ends or is cut, and until its engine is free."""
    lease = slots.take()
    assert lease is not None
    order = SynthesizeOrder()
    order.client(config())
    one = Reply(
        speaking,
        lease,
        ReplyDelivery(MULAW_8K, alignments=True, message_ms=100, first_message_ms=40),
        ready=tts_pb2.Ready(format=MULAW_8K),
        voice=speaking.engine.voices.default,
        language="",
        speed=1.0,
        keep=keep,
        idle_timeout_s=10,
        telemetry=Telemetry("parley-tts"),
        on_first_audio=lambda _: None,
    )
    task = asyncio.create_task(one.run(order, wanted(), cut.write))
    cut.cancel = task.cancel
    await asyncio.wait([task])
    assert task.cancelled() or task.exception() is None
    before = len(cut.written)
    await slots.wait_idle()
    assert len(cut.written) == before


async def kept(speaking: Speaking) -> dict[str, CachedSegment]:
    """What the cache holds of the segments."""
    voice, found = speaking.engine.voices.default, {}
    for words in SEGMENTS:
        key = speaking.key(Passage(words, voice, voice.tags[0], 1.0), MULAW_8K)
        if (entry := await speaking.cache.find(key, keep=True)) is not None:
            found[words] = entry
    return found


def sound(cut: Cut) -> bytes:
    """What was heard."""
    return b"".join(message.audio.payload for message in cut.written)


def test_cut_at_every_message_only_whole_segments_are_kept_and_they_are_right(tmp_path: Path) -> None:
    async def scenario(at: int, folder: Path | None) -> tuple[Cut, dict[str, CachedSegment], bytes]:
        engine = FakeEngine(lookahead_ms=200)
        disk = DiskCache(folder, 1_000_000) if folder is not None else None
        speaking = Speaking(engine, SETTINGS, SegmentCache(CacheSettings(), Telemetry("parley-tts"), disk=disk))
        slots, cut = Slots(1), Cut(at)
        await reply(speaking, slots, cut, keep=folder is not None)
        left = await kept(speaking)
        again = Cut(0)
        await reply(speaking, slots, again, keep=False)
        await engine.close()
        await speaking.cache.close()
        return cut, left, sound(again)

    whole, entries, heard = asyncio.run(scenario(0, None))
    assert set(entries) == set(SEGMENTS)
    assert heard == sound(whole)
    for at in range(1, len(whole.written) + 1):
        folder = tmp_path / str(at)
        cut, left, after = asyncio.run(scenario(at, folder))
        assert len(cut.written) == at
        assert cut.written == whole.written[:at]
        # A segment whose last sound is on its way may be kept already; one that is not at its end may not.
        done = cut.whole_segments()
        assert {SEGMENTS[number - 1] for number in done} <= set(left) <= set(SEGMENTS[: len(done) + 1])
        assert left == {words: entries[words] for words in left}
        assert after == heard
        # And so it is on disk, for the next process.
        later = DiskCache(folder, 1_000_000)
        assert len(list(folder.iterdir())) >= len(left)
        assert later.size_bytes > 0 or not left


@pytest.mark.parametrize("turns", [2, 4, 8, 16, 32, 64, 128, 256, 512])
def test_the_embedded_voice_cut_between_messages_leaves_whole_segments_only(turns: int) -> None:
    @async_test
    async def scenario() -> None:
        engine, left = EspeakEngine(SETTINGS), []
        for cutting in (True, False):
            speaking = Speaking(engine, SETTINGS, SegmentCache(CacheSettings(), Telemetry("parley-tts")))
            cut = Cut(0)
            speaks = asyncio.create_task(reply(speaking, Slots(1), cut, keep=False))
            if cutting:
                for _ in range(turns):
                    await asyncio.sleep(0)
                cut.cancel()
            await speaks
            left.append(await kept(speaking))
            await speaking.cache.close()
        of_cut, of_whole = left
        for words, entry in of_cut.items():
            # eSpeak NG never says a thing twice in quite the same way.
            assert len(entry.payload) == pytest.approx(len(of_whole[words].payload), abs=40)
            assert [one[:2] for one in entry.ranges] == [one[:2] for one in of_whole[words].ranges]
        await engine.close()

    scenario()
