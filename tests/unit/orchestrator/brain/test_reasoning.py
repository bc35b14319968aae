"""Reasoning tags, wherever the deltas are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.brain.reasoning import ReasoningFilter


def filtered(*deltas: str, starts_inside: bool = False) -> str:
    reasoning = ReasoningFilter(starts_inside=starts_inside)
    return "".join([*map(reasoning.push, deltas), reasoning.finish()])


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("<think>no</think>yes", "yes"),
        ("yes<think>no</think> yes", "yes yes"),
        ("yes<think>never closed", "yes"),
        ("<THINK>no</Think>yes", "yes"),
        ("<thinking>a < b</thinking>yes", "yes"),
        ("stray</think> tag", "stray tag"),
        ("a < b and <b>bold</b>", "a < b and <b>bold</b>"),
        ("ends with <thi", "ends with <thi"),
        ("<think>one</think>A<think>two</think>B", "AB"),
        ("<reflection>no</reflection>yes", "yes"),
        ("<seed:think>no</seed:think>yes", "yes"),
        ("[THINK]no[/THINK]yes", "yes"),
        ("[1] is not thinking", "[1] is not thinking"),
        ("\u25c1think\u25b7no\u25c1/think\u25b7yes", "yes"),
        (
            "<|begin_of_thought|>no<|end_of_thought|><|begin_of_solution|>yes<|end_of_solution|>",
            "yes",
        ),
        ("<|channel|>analysis<|message|>no<|end|><|start|>assistant<|channel|>final<|message|>yes<|return|>", "yes"),
        ("<|start|>assistant<|channel|>final<|message|>yes", "yes"),
        ("<|channel|>analysis<|message|>no, <|end|> not even this", ""),
        (
            "<|channel|>commentary to=functions.x <|constrain|>json<|message|>{}<|call|>"
            "<|start|>assistant<|channel|>final<|message|>yes",
            "yes",
        ),
        ("<|channel|>analysis<|message|>it writes </think> and goes on", " and goes on"),
        ("analysisThe caller asks for the time.assistantfinalIt is four.", "It is four."),
        ("analysisWe never come to an end", ""),
        ("analysis of the story takes long", "analysis of the story takes long"),
        ("an answer", "an answer"),
        ("analysis", "analysis"),
    ],
)
def test_what_is_between_the_tags_is_not_spoken(written: str, spoken: str) -> None:
    assert filtered(written) == spoken
    assert filtered(*written) == spoken


def test_a_reply_that_begins_in_reasoning_is_silent_until_the_closing_tag() -> None:
    assert filtered("no, no</thi", "nk>yes", starts_inside=True) == "yes"


PARTS = [
    "<think>",
    "</think>",
    "<",
    "a",
    "b ",
    "</",
    "think>",
    ">",
    "<|channel|>",
    "final",
    "<|message|>",
    "analysis",
    "W",
]


@given(st.lists(st.sampled_from([*PARTS, "<|start|>", "assistant", "<|end|>", "["]), max_size=20), st.data())
def test_any_cut_gives_the_same(parts: list[str], data: st.DataObject) -> None:
    written = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(written)), max_size=8)))
    edges = [0, *cuts, len(written)]
    deltas = [written[start:end] for start, end in pairwise(edges)]
    assert filtered(*deltas) == filtered(written)


def test_at_most_a_tag_is_held_back() -> None:
    reasoning = ReasoningFilter()
    assert reasoning.push("It is four <") == "It is four "
    assert reasoning.push("5") == "<5"


def test_reasoning_that_ends_without_having_begun_is_noticed() -> None:
    reasoning = ReasoningFilter()
    reasoning.push("no, no</think>yes")
    assert reasoning.stray
