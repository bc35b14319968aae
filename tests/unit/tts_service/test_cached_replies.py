"""Replies from the cache: told truthfully, the same as when they were spoken, and never of what went wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from servicekit import semconv
from servicekit.audio import MULAW_8K, pcm
from servicekit.errors import reason_of
from servicekit.server import Slots
from servicekit.telemetry import Telemetry
from tests.asyncs import async_test
from tests.fakes.tts_service_engine import FakeEngine
from tests.unit.tts_service.loopback import (
    FINISH,
    FLUSH,
    Heard,
    Loopback,
    config,
    refused,
    response,
    serving,
    synthesize,
    text,
    until,
)
from tts_service.cache import DiskCache, SegmentCache
from tts_service.espeak.engine import EspeakEngine
from tts_service.prerendering import prerender
from tts_service.settings import CacheSettings, TtsSettings
from tts_service.speaking import Speaking
from tts_service.speech import Passage

KNOWN = TtsSettings(normalise=False)
"""Where levels are not brought together, every level is as good as known."""
SENTENCE = "It is a quarter past three, in the afternoon."


async def said(service: Loopback, *words: str, keep: bool = False, alignments: bool = True) -> Heard:
    segments = [text(number, one) for number, one in enumerate(words, start=1)]
    return await synthesize(service.stub, [config(keep=keep, alignments=alignments), *segments, FINISH])


def files(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.iterdir()]


def cached(heard: Heard) -> set[tuple[int, bool]]:
    return {(message.segment, message.cached) for message in heard.audio}


@async_test
async def test_a_segment_said_before_comes_from_the_cache_byte_for_byte_with_its_words() -> None:
    async with serving(EspeakEngine(TtsSettings()), KNOWN) as service:
        first = await said(service, "Well.", SENTENCE, "Bye.")
        again = await said(service, "Hm.", "  " + SENTENCE.replace(" ", "  "), alignments=True)
    assert cached(first) == {(1, False), (2, False), (3, False)}
    assert cached(again) == {(1, False), (2, True)}
    of_segment = [b"".join(m.payload for m in heard.audio if m.segment == 2) for heard in (first, again)]
    assert of_segment[0] == of_segment[1]
    assert again.done[1].samples == first.done[1].samples == again.samples(2)
    spans = [[(r.start_sample, r.end_sample) for r in heard.ranges[2]] for heard in (first, again)]
    assert spans[0] == spans[1]
    # The words are where this client wrote them: two spaces in front of the first, and twice as many between.
    first_word, second_word = again.ranges[2][0], again.ranges[2][1]
    assert (first_word.text_start, second_word.text_start) == (2, 6)


@async_test
async def test_who_wants_no_alignment_fills_the_cache_with_it_all_the_same() -> None:
    async with serving(EspeakEngine(TtsSettings()), KNOWN) as service:
        without = await said(service, SENTENCE, alignments=False)
        with_it = await said(service, SENTENCE)
    assert not without.ranges
    assert cached(with_it) == {(1, True)}
    assert len(with_it.ranges[1]) >= 7


@async_test
async def test_other_voices_speeds_and_formats_are_spoken_for_themselves() -> None:
    engine = FakeEngine()
    async with serving(engine, KNOWN) as service:
        for first in (config(), config(voice="zwei"), config(speed=1.5), config(fmt=pcm(16_000)), config()):
            await synthesize(service.stub, [first, text(1, "abc"), FINISH])
    assert len(engine.passages) == 4


@async_test
async def test_a_failed_segment_is_not_kept() -> None:
    engine = FakeEngine(fails_on="!")
    async with serving(engine, KNOWN) as service:
        for _ in range(2):
            error = await refused(service.stub, [config(keep=True), text(1, "ab!cd"), FINISH])
            assert reason_of(error) == "ENGINE_FAILED"
    assert len(engine.passages) == 2


@async_test
async def test_a_cancelled_segment_is_not_kept_and_the_whole_ones_before_it_are() -> None:
    engine = FakeEngine(lookahead_ms=100)
    async with serving(engine, KNOWN) as service:
        call = service.stub.Synthesize()
        await call.write(config())
        for number, words in ((1, "abc"), (2, "defghi" * 100)):
            await call.write(text(number, words))
            await call.write(FLUSH)
        while not ((message := await response(call)).HasField("audio") and message.audio.segment == 2):
            pass
        call.cancel()
        await service.slots.wait_idle()
        heard = await said(service, "abc", "defghi" * 100)
    assert cached(heard) == {(1, True), (2, False)}
    assert [passage.text for passage in engine.passages] == ["abc", "defghi" * 100, "defghi" * 100]


@async_test
async def test_fixed_wording_outlives_the_service(tmp_path: Path) -> None:
    for expected in (False, True):
        async with serving(EspeakEngine(TtsSettings()), TtsSettings(), disk=DiskCache(tmp_path, 1_000_000)) as service:
            heard = await said(service, "Hello! How can I help you?", keep=True)
        assert cached(heard) == {(1, expected)}
    assert b"Hello" not in b"".join(files(tmp_path))


@async_test
async def test_replies_leave_nothing_on_disk(tmp_path: Path) -> None:
    async with serving(EspeakEngine(TtsSettings()), KNOWN, disk=DiskCache(tmp_path, 1_000_000)) as service:
        for _ in range(2):
            heard = await said(service, "Your balance is seven pounds.")
    assert cached(heard) == {(1, True)}
    assert files(tmp_path) == []


@async_test
async def test_hits_misses_and_bytes_are_measured() -> None:
    reader = InMemoryMetricReader()
    telemetry = Telemetry.recording("parley-tts", reader=reader)
    async with serving(FakeEngine(), KNOWN, telemetry=telemetry) as service:
        for _ in range(3):
            await said(service, "abc")
        found = reader.get_metrics_data()
    assert found is not None
    points = {
        (metric.name, str(sorted((point.attributes or {}).items()))): getattr(point, "value", None)
        for resource in found.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    }
    lookups = semconv.METRIC_TTS_CACHE_LOOKUPS
    assert points[lookups, str([(semconv.VOICE_CACHED, True)])] == 2
    assert points[lookups, str([(semconv.VOICE_CACHED, False)])] == 1
    held = points[semconv.METRIC_TTS_CACHE_BYTES, str([(semconv.VOICE_CACHE_PLACE, "memory")])]
    assert held is not None
    assert held > 2400


@pytest.mark.parametrize("busy", [False, True])
def test_sentences_of_the_settings_are_made_when_nobody_else_speaks(busy: bool) -> None:
    @async_test
    async def scenario() -> None:
        engine = FakeEngine(lookahead_ms=100)
        cache = SegmentCache(CacheSettings(), Telemetry("parley-tts"))
        speaking = Speaking(engine, KNOWN, cache)
        slots = Slots(2)
        lease = slots.take() if busy else None
        making = asyncio.create_task(prerender(speaking, ("abc", "…", "de  f"), slots))
        if lease is not None:
            for _ in range(20):
                await asyncio.sleep(0)
            assert engine.passages == []
            lease.release()
        await making
        voice = engine.voices.default
        keys = [speaking.key(Passage(said, voice, "en", 1.0), MULAW_8K) for said in ("abc", "de f")]
        assert [await cache.find(key, keep=False) is not None for key in keys] == [True, True]
        assert [passage.text for passage in engine.passages] == ["abc", "de f"]
        await prerender(speaking, ("abc",), slots)
        assert len(engine.passages) == 2
        await engine.close()
        await cache.close()

    scenario()


@async_test
async def test_making_sentences_gives_way_to_a_reply_and_begins_again() -> None:
    engine = FakeEngine(lookahead_ms=100)
    engine.gate.clear()
    speaking = Speaking(engine, KNOWN, SegmentCache(CacheSettings(), Telemetry("parley-tts")))
    slots = Slots(1)
    making = asyncio.create_task(prerender(speaking, ("abcdef",), slots))
    await until(engine.step_begun.is_set)
    lease = slots.take()
    assert lease is not None
    engine.gate.set()
    await until(lambda: engine.steps_ended >= 1)
    for _ in range(50):
        await asyncio.sleep(0.001)
    assert not making.done()
    assert engine.steps_ended < 6
    lease.release()
    await making
    assert [passage.text for passage in engine.passages] == ["abcdef", "abcdef"]
    await engine.close()
    await speaking.cache.close()
