"""The embedded voice: the binding, its words, its voices."""

from __future__ import annotations

import ctypes
import gc
import itertools
import subprocess
import sys
import threading

import numpy as np
import pytest

from tts_service import EspeakError, espeak_speech
from tts_service.espeak import SAMPLE_RATE_HZ, EspeakChunk, WordStart, speak, version
from tts_service.espeak.catalogue import list_variants, list_voices
from tts_service.espeak.words import WordTrack
from tts_service.speech import WordSpan


def spans_of(text: str, voice: str = "en") -> tuple[list[WordSpan], int]:
    """The word spans of a spoken text, and its length in samples."""
    track = WordTrack(text)
    spans: list[WordSpan] = []
    spoken = 0

    def take(chunk: EspeakChunk) -> bool:
        nonlocal spoken
        spans.extend(track.add(chunk.words))
        spoken += len(chunk.samples)
        return True

    speak(text, take, voice=voice)
    return spans + track.finish(spoken), spoken


def test_a_sentence_becomes_float_speech_at_22050_hz() -> None:
    samples, rate = espeak_speech("What time is it?")
    assert rate == SAMPLE_RATE_HZ == 22_050
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert 0.5 < len(samples) / rate < 2.0
    assert -1.0 <= float(samples.min()) < -0.1
    assert 0.1 < float(samples.max()) < 1.0


def test_importing_the_package_loads_neither_espeak_nor_torch() -> None:
    code = (
        "import sys, tts_service, tts_service.espeak.engine, tts_service.serve\n"
        "loaded = {'torch', 'kokoro', 'espeakng_loader', 'soxr'} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_an_unknown_voice_is_an_error_and_the_next_text_is_spoken() -> None:
    with pytest.raises(EspeakError, match="no voice named 'klingonese'"):
        espeak_speech("hello", "klingonese")
    assert len(espeak_speech("hello")[0])


def test_speed_makes_it_shorter() -> None:
    normal, _ = espeak_speech("This is a sentence of some length.", rate_wpm=165)
    fast, _ = espeak_speech("This is a sentence of some length.", rate_wpm=330)
    assert len(fast) < 0.7 * len(normal)


def test_speech_comes_in_chunks_of_at_most_200_ms_and_stops_at_the_next_one() -> None:
    taken: list[int] = []

    def take(chunk: EspeakChunk) -> bool:
        taken.append(len(chunk.samples))
        return len(taken) < 3

    speak("A very long text that goes on and on. " * 50, take, voice="en")
    assert len(taken) == 3
    assert max(taken) <= 0.200 * SAMPLE_RATE_HZ + 1
    # The library is in order afterwards.
    assert len(espeak_speech("hello")[0]) > 4000


def test_an_exception_of_the_reader_comes_out_of_speak() -> None:
    def take(_: EspeakChunk) -> bool:
        raise KeyError("reader")

    with pytest.raises(KeyError, match="reader"):
        speak("hello", take, voice="en")
    assert len(espeak_speech("hello")[0]) > 4000


def test_speaking_makes_no_new_types() -> None:
    # A type is never forgotten by ctypes: one for each length of chunk made the service grow with every sentence.
    def types() -> int:
        gc.collect()
        return len([each for each in gc.get_objects() if isinstance(each, type) and issubclass(each, ctypes.Array)])

    espeak_speech("Once.")
    before = types()
    for number in range(20):
        espeak_speech(f"Number {number**4}.")
    assert types() == before


def test_threads_take_turns_and_never_mix_their_speech() -> None:
    texts = {"en": "What time is it?", "de": "Guten Tag, wie geht es Ihnen heute?"}
    expected = {voice: len(espeak_speech(text, voice)[0]) for voice, text in texts.items()}
    lengths: dict[str, list[int]] = {voice: [] for voice in texts}

    def work(voice: str) -> None:
        for _ in range(10):
            lengths[voice].append(len(espeak_speech(texts[voice], voice)[0]))

    threads = [threading.Thread(target=work, args=(voice,)) for voice in texts for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for voice, found in lengths.items():
        assert len(found) == 20
        # eSpeak NG varies by a fraction of a percent from one time to the next.
        assert all(abs(length - expected[voice]) < 0.02 * expected[voice] for length in found)


TEXTS = [
    "Hello, world. It's 12:30 on the 5th — naïve café 123456 done!",
    "one",
    "  leading and trailing space  ",
    "“Quoted,” she said (quietly): yes…",
    "a b c d e f g",
    "1,234,567.89 and $5.00 or 50% of http://example.org/path?x=1",
]


@pytest.mark.parametrize("text", TEXTS)
def test_word_spans_go_up_in_text_and_sound_and_lie_within_both(text: str) -> None:
    spans, total = spans_of(text)
    assert spans
    for before, after in itertools.pairwise(spans):
        assert before.text_end <= after.text_start
        assert before.end_sample <= after.start_sample
    for span in spans:
        assert 0 <= span.text_start < span.text_end <= len(text)
        assert 0 <= span.start_sample < span.end_sample <= total


def test_word_spans_name_the_written_words() -> None:
    text = "Hello, world. The 5th café is done!"
    spans, total = spans_of(text)
    said = [text[span.text_start : span.text_end] for span in spans]
    assert " ".join(said).split() == text.split()
    assert spans[0].start_sample == 0
    assert spans[-1].end_sample <= total


def test_words_without_an_event_belong_to_the_one_before() -> None:
    track = WordTrack("on the 5th of 123456 end")
    events = [
        WordStart(0, 2, 0),
        WordStart(7, 3, 100),
        WordStart(11, 2, 200),
        WordStart(14, 6, 300),
        WordStart(15, 6, 400),
        WordStart(13, 6, 500),  # steps back inside the number
        WordStart(21, 3, 600),
    ]
    spans = track.add(events) + track.finish(700)
    assert [(s.text_start, s.text_end, s.start_sample, s.end_sample) for s in spans] == [
        (0, 6, 0, 100),
        (7, 10, 100, 200),
        (11, 13, 200, 300),
        (14, 20, 300, 600),
        (21, 24, 600, 700),
    ]


def test_a_pause_ends_the_word_before_it() -> None:
    track = WordTrack("yes, no")
    spans = track.add([WordStart(0, 3, 0), WordStart(4, 0, 90), WordStart(5, 2, 150)]) + track.finish(200)
    assert [(s.start_sample, s.end_sample) for s in spans] == [(0, 90), (150, 200)]


def test_each_character_is_a_word_where_words_are_not_spaced() -> None:
    track = WordTrack("你好吗")
    spans = track.add([WordStart(0, 1, 0), WordStart(1, 1, 10), WordStart(2, 1, 20)]) + track.finish(30)
    assert [(s.text_start, s.text_end) for s in spans] == [(0, 1), (1, 2), (2, 3)]


def test_every_listed_voice_speaks() -> None:
    for voice in list_voices():
        samples, _ = espeak_speech("mama 1 2 3", voice.name)
        assert float(np.abs(samples).max()) > 0.02, voice.name


def test_voices_have_unique_names_and_well_formed_languages() -> None:
    voices = list_voices()
    assert len(voices) > 130
    assert len({voice.name for voice in voices}) == len(voices)
    by_name = {voice.name: voice for voice in voices}
    assert "en-GB" in by_name["en"].tags
    assert "en-US" in by_name["en-us"].tags
    assert "ca-BA" not in {tag for voice in voices for tag in voice.tags}
    for voice in voices:
        for tag in voice.tags:
            primary, *rest = tag.split("-")
            assert primary.isalpha(), tag
            assert primary.islower(), tag
            assert len(primary) in (2, 3), tag
            assert all(1 <= len(part) <= 8 for part in rest), tag


def test_variants_change_the_timbre() -> None:
    assert {"f3", "m1"} <= list_variants()
    plain, _ = espeak_speech("hello there")
    female, _ = espeak_speech("hello there", "en+f3")
    length = min(len(plain), len(female))
    assert float(np.abs(plain[:length] - female[:length]).max()) > 0.05


def test_the_version_is_the_librarys() -> None:
    assert version().split(".")[0].isdigit()
