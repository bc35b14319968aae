"""What is kept of an utterance for another recogniser."""

from __future__ import annotations

import asyncio

from orchestrator.utterance import AudioEntry, Entry, FinalizeEntry, FinishEntry, UtteranceLog
from tests.asyncs import async_test


async def read_all(log: UtteranceLog, position: int = 0) -> list[Entry]:
    """Everything from a position to the end."""
    entries: list[Entry] = []
    while not entries or not isinstance(entries[-1], FinishEntry):
        entry, position = await log.take(position)
        entries.append(entry)
    return entries


@async_test
async def test_a_replay_gives_all_the_sound_in_large_pieces_and_only_the_newest_finalize() -> None:
    log = UtteranceLog(10_000)
    log.feed(b"a" * 160)
    log.feed(b"b" * 160)
    log.finalize(1)
    log.feed(b"c" * 160)
    log.finalize(2)
    log.finish()
    assert await read_all(log) == [
        AudioEntry(b"a" * 160 + b"b" * 160 + b"c" * 160),
        FinalizeEntry(2),
        FinishEntry(),
    ]


@async_test
async def test_a_reader_that_keeps_up_gets_each_piece_at_once() -> None:
    log = UtteranceLog(10_000)
    log.feed(b"a")
    first, position = await log.take(0)
    log.feed(b"b")
    second, position = await log.take(position)
    assert (first, second) == (AudioEntry(b"a"), AudioEntry(b"b"))


def test_an_utterance_is_bounded() -> None:
    log = UtteranceLog(320)
    assert log.feed(b"a" * 160)
    assert log.feed(b"a" * 160)
    assert not log.feed(b"a" * 160)


def test_nothing_is_added_after_the_end() -> None:
    log = UtteranceLog(1000)
    log.finish()
    assert not log.feed(b"a")


@async_test
async def test_a_reader_that_keeps_up_gets_pieces_of_some_size_and_the_rest_with_the_finalize() -> None:
    log = UtteranceLog(10_000, piece_bytes=480)
    log.feed(b"pre-roll")
    first, position = await log.take(0)
    reading = asyncio.create_task(log.take(position))
    await asyncio.sleep(0)
    for _ in range(2):
        log.feed(b"a" * 160)
        await asyncio.sleep(0)
        assert not reading.done()
    log.feed(b"b" * 160)
    second, position = await reading
    reading = asyncio.create_task(log.take(position))
    await asyncio.sleep(0)
    log.feed(b"c" * 160)
    log.finalize(1)
    third, position = await reading
    assert (first, second) == (AudioEntry(b"pre-roll"), AudioEntry(b"a" * 320 + b"b" * 160))
    assert third == AudioEntry(b"c" * 160)
    assert (await log.take(position))[0] == FinalizeEntry(1)
