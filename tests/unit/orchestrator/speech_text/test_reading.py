"""What written things sound like (row 56 of the fault catalogue)."""

from __future__ import annotations

import pytest

from orchestrator.speech_text import SpeechChunker


def read(text: str, language: str = "en") -> str:
    chunker = SpeechChunker(language)
    return " ".join(segment.spoken for segment in chunker.push(text) + chunker.finish())


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("This is **very** *important*, ***really***.", "This is very important, really."),
        ("__Yes__ and _no_ and ~~maybe~~.", "Yes and no and maybe."),
        ("Run `make demo` now.", "Run make demo now."),
        ("The snake_case_name of it.", "The snake case name of it."),
        ("# Title\n\nText.", "Title. Text."),
        ("### Title ###\nText.", "Title. Text."),
        ("> A quote\n> goes on.", "A quote goes on."),
        ("- one\n- two\n  - three", "one. two. three"),
        ("* one\n+ two\n• three", "one. two. three"),
        ("1. first\n2) second", "one, first. two, second"),
        ("- [ ] open\n- [x] done", "open. done"),
        ("one\n\n---\n\ntwo", "one. two"),
        ("Title\n=====\ntext", "Title. text"),
    ],
)
def test_markdown_is_heard_as_its_words(written: str, said: str) -> None:
    assert read(written) == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("See [the guide](https://example.com/a_(b)?c=d) for it.", "See the guide for it."),
        ("See [the guide][1] for it.", "See the guide for it."),
        ("![A red boat](boat.png) is here.", "A red boat is here."),
        ("Go to https://www.example.com/path/page.html?q=1#top.", "Go to example.com."),
        ("(see http://example.org:8080/x)", "(see example.org)"),
        ("Or <https://example.org/x> instead.", "Or example.org instead."),
        ("Or www.example.org, or example.net.", "Or example.org, or example.net."),
        ("It is true [1][2], they say [^3].", "It is true, they say."),
        ("It is true【4†source】.", "It is true."),
        ("![](x.png) Mail <ftp://files.example.org/y>.", "Mail files.example.org."),
        ("The [1](http://x.org) link.", "The one link."),
    ],
)
def test_links_are_heard_as_their_text_and_addresses_as_their_host(written: str, said: str) -> None:
    assert read(written) == said


def test_code_is_left_out_with_a_word_about_it() -> None:
    written = "Here you are:\n\n```python\nprint('**x**')\n# no\n```\n\nThat is all."
    assert read(written) == "Here you are: Some code is left out here. That is all."
    assert read(written, "de") == "Here you are: Hier lasse ich Programmtext aus. That is all."
    assert read(written, "eo") == "Here you are: That is all."
    assert read("~~~\ncode\n~~~\nDone.", "eo") == "Done."
    assert read("Never closed:\n```\ncode code", "eo") == "Never closed:"


def test_a_table_is_heard_cell_by_cell() -> None:
    assert read("| City | Weather |\n|:---|---:|\n| Rome | sunny |\n| Oslo | rain |\n") == (
        "City, Weather. Rome, sunny. Oslo, rain"
    )


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Great 👍! See you 😀👩‍👩‍👧🏽🇩🇪.", "Great! See you."),
        ("Take 1️⃣ or 2️⃣.", "Take one or two."),
        ("I love ❤️ it ✨", "I love it"),
        ("It is 20 °C and ©.", "It is twenty degrees Celsius and."),
        ("Fine :) thank you ;-)", "Fine thank you"),
        ("From A → B", "From A, B"),
        ("می‌خواهم", "می‌خواهم"),
    ],
)
def test_emoji_and_pictures_are_not_heard(written: str, said: str) -> None:
    assert read(written) == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('<speak>Hello<break time="1s"/>there, <emphasis level="strong">you</emphasis>.</speak>', "Hello there, you."),
        ("One<br>two<br/>three", "One two three"),
        ("<p>Fish &amp; chips&nbsp;&lt;b&gt; &#39;x&#x27;</p>", "Fish and chips b 'x'"),
        ("Before<!-- a > b -->after", "Beforeafter"),
        ("It is 3 < 5 and 7 > 2.", "It is three less than five and seven greater than two."),
        ("a <b and so on and so on and so on and so on and on", "a b and so on and so on and so on and so on and on"),
        ("<script", "script"),
        (
            '<?xml version="1.0"?><speak xmlns="http://x.org"><s>Hi</s> <prosody rate="slow">you</prosody></speak>',
            "Hi you",
        ),
        (
            'A <phoneme alphabet="ipa" ph="x">tomato</phoneme>, <say-as interpret-as="date">May 5</say-as>',
            "A tomato, May fifth",
        ),
        ('<a href="https://x.org/a?b=1">Click here</a> now', "Click here now"),
        ("<![CDATA[raw <b>text</b>]]> after", "raw text after"),
        ("Fine.<|im_end|> <|assistant|>Hi", "Fine. Hi"),
    ],
)
def test_tags_and_entities_are_not_heard(written: str, said: str) -> None:
    assert read(written) == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("\x1b[31mred\x1b[0m and \x1b]0;title\x07more \x1b", "red and more"),
        ("\x85next\u2028line \u2066in\u2069 it", "next line in it"),
        ("a\x00b\x1b[0m\x07c\u200b\u202ed\ufeff\u00ad", "abcd"),
        ("half\ud83d a character", "half a character"),
        ("\ue000private\uffff", "private"),
        ("a\tb\r\nc\u00a0d\u2003e", "a b c d e"),
    ],
)
def test_control_characters_and_broken_ones_are_not_heard(written: str, said: str) -> None:
    assert read(written) == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Fish & chips, AT&T.", "Fish and chips, AT&T."),
        ("3 * 4 = 12 and 3*4", "three times four = twelve and three times four"),
        ("It takes ~5 minutes", "It takes about five minutes"),
        ("C# and #5 and #fun", "C# and number five and fun"),
        ("It costs $5, where $x$ is", "It costs five dollars, where x is"),
        ("So $$E = mc^2$$ and $x = 2$ cost 2$.", "So E = mc to the power of two and x = two cost two dollars."),
        ("Wait!!! What??? No.....", "Wait! What? No..."),
        ("one -- two -> three => four", "one — two, three, four"),
        (r"\*not bold\* \(x\)", "not bold x"),
        ("well-known follow-up", "well-known follow-up"),
        ("50% off, mail me@example.com", "fifty percent off, mail me@example.com"),
        ("It’s “fine” – really…", "It’s “fine” – really…"),
    ],
)
def test_signs_are_heard_as_words_or_kept(written: str, said: str) -> None:
    assert read(written) == said
