"""What is kept of speech: the bound, the key, and what several processes and a torn write do to it."""

from __future__ import annotations

import itertools
import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.audio.v1 import audio_pb2
from servicekit.audio import MULAW_8K, pcm
from servicekit.telemetry import Telemetry
from tests.asyncs import async_test
from tts_service.cache import (
    CachedRange,
    CachedSegment,
    DiskCache,
    MemoryCache,
    SegmentCache,
    engine_fingerprint,
    segment_key,
)
from tts_service.cache.entry import SpoiledEntryError, from_bytes, to_bytes
from tts_service.settings import CacheSettings, EspeakSettings, TtsSettings
from tts_service.speech import EngineInfo, Passage
from tts_service.voices import Voice

MEGABYTE = 1_000_000


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def entry(size: int = 1000, fill: int = 7) -> CachedSegment:
    return CachedSegment(bytes([fill]) * size, (CachedRange(0, 3, 0, size // 2), CachedRange(4, 9, size // 2, size)))


entries = st.builds(
    CachedSegment,
    st.binary(max_size=3000),
    st.lists(st.builds(CachedRange, *[st.integers(0, 2**40)] * 4), max_size=8).map(tuple),
)


# ------------------------------------------------------------------------------------------------------------ memory


@given(st.integers(0, 20_000), st.lists(st.tuples(st.booleans(), st.integers(0, 12), entries), max_size=60))
def test_memory_never_holds_more_than_its_bound_and_gives_up_the_least_recently_used(
    bound: int, steps: list[tuple[bool, int, CachedSegment]]
) -> None:
    cache = MemoryCache(bound)
    order: list[int] = []  # least recently used first
    held: dict[int, CachedSegment] = {}
    for is_put, number, new in steps:
        if is_put:
            cache.put(key(number), new)
            order = [other for other in order if other != number]
            held.pop(number, None)
            if new.cost <= bound:
                order.append(number)
                held[number] = new
                while sum(kept.cost for kept in held.values()) > bound:
                    del held[order.pop(0)]
        else:
            assert cache.get(key(number)) == held.get(number)
            if number in held:
                order.remove(number)
                order.append(number)
        assert cache.size_bytes == sum(kept.cost for kept in held.values()) <= bound
        assert len(cache) == len(held)


# --------------------------------------------------------------------------------------------------------------- key

ENGINE = EngineInfo("kokoro", "0.9.4", "Kokoro v1", 24_000, 1, alignments=True, content="abc")
SETTINGS = TtsSettings()
VOICE = Voice("af_heart", (("en-US", 1),), "Heart", content="c0ffee")
PASSAGE = Passage("One moment.", VOICE, "en-US", 1.0)


def key_of(
    engine: EngineInfo = ENGINE,
    settings: TtsSettings = SETTINGS,
    passage: Passage = PASSAGE,
    fmt: audio_pb2.AudioFormat = MULAW_8K,
) -> bytes:
    return segment_key(engine_fingerprint(engine, settings), passage, fmt)


def with_voice(**changes: str) -> Passage:
    own = {"name": VOICE.name, "content": VOICE.content} | changes
    return Passage(PASSAGE.text, Voice(own["name"], VOICE.languages, "Heart", content=own["content"]), "en-US", 1.0)


def engine_with(**changes: str) -> EngineInfo:
    own = {"name": "kokoro", "version": "0.9.4", "model": "Kokoro v1", "content": "abc"} | changes
    return EngineInfo(own["name"], own["version"], own["model"], 24_000, 1, alignments=True, content=own["content"])


def test_everything_that_changes_the_sound_changes_the_key() -> None:
    keys = [
        key_of(),
        key_of(engine_with(name="espeak")),
        key_of(engine_with(version="0.9.5")),
        key_of(engine_with(model="Kokoro v2")),
        key_of(engine_with(content="abd")),
        key_of(settings=TtsSettings(speed=1.1)),
        key_of(settings=TtsSettings(level_dbfs=-23)),
        key_of(settings=TtsSettings(normalise=False)),
        key_of(settings=TtsSettings(espeak=EspeakSettings(pitch=60))),
        key_of(passage=with_voice(name="af_bella")),
        key_of(passage=with_voice(content="c0ffef")),
        key_of(passage=Passage("One moment!", VOICE, "en-US", 1.0)),
        key_of(passage=Passage("One moment.", VOICE, "en-GB", 1.0)),
        key_of(passage=Passage("One moment.", VOICE, "en-US", 1.05)),
        key_of(fmt=pcm(8000)),
        key_of(fmt=pcm(16_000)),
    ]
    assert len(set(keys)) == len(keys)


def test_what_does_not_change_the_sound_does_not_change_the_key() -> None:
    others = [
        TtsSettings(listen="127.0.0.1:1", capacity=3, lookahead_ms=500, message_ms=100, idle_timeout_s=5),
        TtsSettings(prerender=("Hello.",), cache=CacheSettings(memory_mb=1)),
        TtsSettings(voice="en-us", language="de"),
    ]
    assert {key_of(settings=settings) for settings in others} == {key_of()}
    assert key_of(fmt=audio_pb2.AudioFormat(encoding=MULAW_8K.encoding, sample_rate_hz=8000)) == key_of()


texts = st.text(max_size=12)


@given(st.lists(st.tuples(texts, texts, texts, texts), min_size=2, max_size=2, unique=True))
def test_no_two_passages_share_a_key(two: list[tuple[str, str, str, str]]) -> None:
    def one(voice: str, content: str, language: str, text: str) -> bytes:
        return key_of(passage=Passage(text, Voice(voice, (("en", 1),), "", content=content), language, 1.0))

    first, second = two
    same = (*first[:2], first[2].lower(), first[3]) == (*second[:2], second[2].lower(), second[3])
    assert (one(*first) == one(*second)) is same


# -------------------------------------------------------------------------------------------------------------- disk


@given(entries)
def test_an_entry_is_read_as_it_was_written(kept: CachedSegment) -> None:
    assert from_bytes(key(1), to_bytes(key(1), kept)) == kept


@given(entries, st.data())
def test_no_torn_or_changed_entry_is_taken_for_a_whole_one(kept: CachedSegment, data: st.DataObject) -> None:
    written = to_bytes(key(1), kept)
    cut = data.draw(st.integers(0, len(written) - 1))
    flipped = bytearray(written)
    flipped[cut] ^= 0x40
    for torn in (written[:cut], bytes(flipped), written + b"\0", written[:cut] + bytes(len(written) - cut)):
        if torn != written:
            with pytest.raises(SpoiledEntryError):
                from_bytes(key(1), torn)
    with pytest.raises(SpoiledEntryError):
        from_bytes(key(2), written)


def test_entries_survive_the_process_and_are_its_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "parley" / "tts"
    DiskCache(folder, MEGABYTE).write(key(1), entry())
    again = DiskCache(folder, MEGABYTE)
    assert again.may_hold(key(1))
    assert again.read(key(1)) == entry()
    assert again.read(key(2)) is None
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())]
    assert modes == [0o700, 0o600]


def test_a_spoiled_entry_is_removed_and_can_be_made_again(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, MEGABYTE)
    cache.write(key(1), entry())
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    assert cache.read(key(1)) is None
    assert not list(tmp_path.iterdir())
    cache.write(key(1), entry())
    assert cache.read(key(1)) == entry()


def test_the_disk_keeps_its_bound_by_giving_up_what_was_not_used(tmp_path: Path) -> None:
    size = len(to_bytes(key(0), entry()))
    cache = DiskCache(tmp_path, 4 * size)
    for number in range(4):
        cache.write(key(number), entry())
        os.utime(tmp_path / f"{key(number).hex()}.speech", (1000 + number, 1000 + number))
    assert cache.read(key(0)) is not None  # used now
    cache.write(key(4), entry())
    assert [cache.read(key(number)) is not None for number in range(5)] == [True, False, True, True, True]
    assert cache.size_bytes == sum(path.stat().st_size for path in tmp_path.iterdir()) == 4 * size
    cache.write(key(9), entry(5 * size))
    assert cache.read(key(9)) is None


def test_what_one_process_keeps_another_finds(tmp_path: Path) -> None:
    one, other = DiskCache(tmp_path, MEGABYTE), DiskCache(tmp_path, MEGABYTE)
    one.write(key(1), entry())
    assert not other.may_hold(key(1))
    assert other.read(key(1)) == entry()


WRITER = """
    import sys
    from pathlib import Path
    from tts_service.cache import CachedSegment, DiskCache
    cache = DiskCache(Path(sys.argv[1]), 1_000_000_000)
    number = 0
    while True:
        number += 1
        cache.write((number % 10).to_bytes(32, "big"), CachedSegment(bytes([number % 256]) * 400_000, ()))
        if number == 2:  # then there is something whole, whatever becomes of the next
            print("writing", flush=True)
"""


def test_a_process_killed_while_it_writes_leaves_nothing_but_whole_entries(tmp_path: Path) -> None:
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WRITER), str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        try:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "writing\n"
            # Until it is in the middle of a file, or past it again: either must do.
            for _ in itertools.takewhile(lambda _: not list(tmp_path.glob("*.unfinished")), range(100_000)):
                pass
        finally:
            writer.send_signal(signal.SIGKILL)
            writer.wait()
            assert writer.stdout is not None
            writer.stdout.close()
    cache = DiskCache(tmp_path, 1_000_000_000)
    whole = [cache.read(key(number)) for number in range(10)]
    assert sum(one is not None for one in whole) >= 2
    # None was found spoiled, or it would have been removed.
    assert sum(one is not None for one in whole) == len(list(tmp_path.glob("*.speech")))
    assert all(len(set(one.payload)) == 1 for one in whole if one is not None)


def test_what_a_killed_process_left_unfinished_is_cleared_at_a_later_start(tmp_path: Path) -> None:
    recent, old = tmp_path / "a.unfinished", tmp_path / "b.unfinished"
    for path in (recent, old):
        path.write_bytes(b"half")
    os.utime(old, (1000, 1000))
    DiskCache(tmp_path, MEGABYTE)
    assert list(tmp_path.iterdir()) == [recent]


# ----------------------------------------------------------------------------------------------------------- together


def cache_on(folder: Path | None, **settings: int | bool) -> SegmentCache:
    disk = DiskCache(folder, MEGABYTE) if folder is not None else None
    return SegmentCache(CacheSettings.model_validate(settings), Telemetry("parley-tts"), disk=disk)


@async_test
async def test_replies_stay_in_memory_and_fixed_wording_goes_to_disk(tmp_path: Path) -> None:
    cache = cache_on(tmp_path)
    cache.store(key(1), entry(), keep=False)
    cache.store(key(2), entry(), keep=True)
    assert await cache.find(key(1), keep=False) == entry()
    await cache.close()
    later = cache_on(tmp_path)
    assert await later.find(key(1), keep=True) is None
    assert await later.find(key(2), keep=False) == entry()
    await later.close()


@async_test
async def test_replies_go_to_disk_where_the_settings_say_so(tmp_path: Path) -> None:
    cache = cache_on(tmp_path, replies=True)
    cache.store(key(1), entry(), keep=False)
    await cache.close()
    later = cache_on(tmp_path)
    assert await later.find(key(1), keep=False) == entry()
    await later.close()


@async_test
async def test_fixed_wording_that_memory_gave_up_is_found_on_disk(tmp_path: Path) -> None:
    cache = cache_on(tmp_path, memory_mb=0)
    cache.store(key(1), entry(), keep=True)
    await cache.close()
    later = cache_on(tmp_path, memory_mb=0)
    assert [await later.find(key(1), keep=False) for _ in range(2)] == [entry(), entry()]
    await later.close()


@async_test
async def test_a_folder_that_cannot_be_used_costs_the_disk_and_nothing_else(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    cache = await SegmentCache.open(CacheSettings(folder=blocked / "tts"), Telemetry("parley-tts"))
    cache.store(key(1), entry(), keep=True)
    assert await cache.find(key(1), keep=True) == entry()
    await cache.close()
