"""From what was spoken back to what was written, and laws that hold for any text."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.speech_text import SpeechChunker, SpeechSegment

PARTS = [
    *(
        "Hello there",
        "word",
        "a",
        "Z",
        "é",
        "今天",
        "longer words follow here",
        "Dr. ",
        "e.g. ",
        "3.14",
        "1. ",
        "$5",
        "'",
    ),
    *(
        ", ",
        ". ",
        "! ",
        "? ",
        "...",
        "…",
        "。",
        "，",
        ":)",
        " ",
        "  ",
        "\t",
        "\n",
        "\n\n",
        "\r\n",
        "=",
        "--",
        "->",
        "~",
        "^",
    ),
    *("- ", "* ", "**", "*", "_", "`", "```", "~~~", "# ", "#", "[", "](", ")", "(", "![", "[1]", "|", "|---|", "\\"),
    *("<", ">", "<b>", "<!--", "-->", "&amp;", "&", "https://", "www.", "http", "x.org/", "【", "】"),
    *(
        "2026",
        "-11-24",
        "Nov ",
        "24, ",
        "14:30",
        " Uhr",
        " km",
        "%",
        "€ ",
        "£",
        "¥",
        " pm",
        "1,234",
        ".5",
        "–5",
        "-",
        "/",
    ),
    *(
        "+49 ",
        "(555) ",
        "24. ",
        "November ",
        "3rd",
        "½",
        "v2",
        "\u202f",
        " million",
        "'da",
        "h",
        " zł",
        "noviembre de ",
    ),
    *("👍", "👩\u200d👩\u200d👧", "\u200d", "\ud83d", "\x00"),
]
WRITTEN = st.lists(st.sampled_from(PARTS) | st.text(max_size=6), max_size=40).map("".join)
_LANGUAGES = "en en-GB en-IN de es fr it pt nl pl tr ja zh hi eo"
LANGUAGES = st.sampled_from(_LANGUAGES.split())


def segments_of(deltas: list[str], language: str = "en") -> tuple[SpeechChunker, list[SpeechSegment]]:
    chunker = SpeechChunker(language)
    segments = [segment for delta in deltas for segment in chunker.push(delta)]
    return chunker, segments + chunker.finish()


@given(WRITTEN, st.lists(st.integers(0, 400), max_size=30), LANGUAGES)
@example("Done --\n> x", [], "en")
def test_the_segments_do_not_depend_on_the_deltas(written: str, cuts: list[int], language: str) -> None:
    edges = [0, *sorted(min(cut, len(written)) for cut in cuts), len(written)]
    deltas = [written[start:end] for start, end in pairwise(edges)]
    _, whole = segments_of([written], language)
    _, cut = segments_of(deltas, language)
    _, letters = segments_of(list(written), language)
    assert cut == whole
    assert letters == whole


@given(WRITTEN)
def test_written_ranges_follow_one_another_and_offsets_only_grow(written: str) -> None:
    chunker, segments = segments_of([written])
    assert chunker.written == written
    at = 0
    for number, segment in enumerate(segments, 1):
        assert segment.number == number
        assert segment.written_start == at
        assert segment.written_end >= at
        offsets = [segment.written_offset(heard) for heard in range(-1, len(segment.spoken) + 2)]
        assert offsets == sorted(offsets)
        assert offsets[0] == segment.written_start
        assert offsets[-1] == segment.written_end
        at = segment.written_end
    assert at <= len(written)


@given(WRITTEN)
def test_segments_are_speakable_and_bounded(written: str) -> None:
    _, segments = segments_of([written])
    for segment in segments:
        assert segment.spoken == segment.spoken.strip()
        assert any(map(str.isalnum, segment.spoken))
        assert len(segment.spoken) <= (60 if segment.number == 1 else 200)
        assert not any(sign in segment.spoken for sign in "*`|<>{}[]\n\t\x00\ud83d👍")
        assert "  " not in segment.spoken


@given(st.lists(st.text("abcdefg, .!?äöü今天。123", max_size=30), max_size=10).map("".join))
def test_plain_text_is_said_whole_and_once(written: str) -> None:
    _, segments = segments_of([written], "eo")
    said = "".join(segment.spoken for segment in segments)
    assert [c for c in said if c.isalnum()] == [c for c in written if c.isalnum()]


def test_what_was_heard_maps_to_the_words_as_written() -> None:
    written = "It is **twenty** past [four](https://x.org), my friend."
    _, (first, second) = segments_of([written])
    assert first.spoken == "It is twenty past four,"
    heard = len("It is twenty")
    assert written[: first.written_offset(heard)] == "It is **twenty"
    assert written[: first.written_offset(heard + 1)] == "It is **twenty** "
    assert first.written_end == second.written_start == written.index("my")
    assert second.written_end == len(written)


def test_what_stands_for_something_else_counts_when_it_was_said_whole() -> None:
    written = "Look at https://www.example.com/a/b today"
    _, (segment,) = segments_of([written])
    half = segment.spoken.index("example") + 3
    assert written[: segment.written_offset(half)] == "Look at "
    assert written[: segment.written_offset(segment.spoken.index("com") + 3)] == "Look at https://www.example.com/a/b"


def test_what_is_held_back_stays_bounded() -> None:
    for endless in (
        "a",
        "*",
        "<",
        "[",
        "](",
        "&",
        "http://x",
        "```",
        " ",
        "\n",
        "-",
        "|",
        "。",
        "👍",
        "=",
        "#",
        "1",
        "<!--",
        "1 ",
        "1,",
        "$",
        "+1",
        "Nov ",
        "5 km",
        "\x1b]0",
        "<|",
    ):
        chunker = SpeechChunker()
        for _ in range(5000):
            chunker.push(endless)
        reader = chunker._reader
        assert len(reader._view.text) < 2200, endless
        assert len(chunker._chars) <= 400, endless
        assert len(chunker._places) <= 400, endless
