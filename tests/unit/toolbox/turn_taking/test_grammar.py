"""What the embedded recogniser is given to understand a run's callers by."""

from __future__ import annotations

from pathlib import Path

from stt_service.engines.pocketsphinx.sentences import read_sentences
from toolbox.bench.turn_taking.corpus import CaseKind, Half, make_call
from toolbox.bench.turn_taking.real.grammar import write_grammar


def settings(folder: Path, *kinds: CaseKind) -> dict[str, str]:
    plan = make_call([(kind, 0) for kind in kinds], Half.TUNING, seed=3)
    return dict(each.split("=", 1) for each in write_grammar(folder, [plan]))


def test_every_word_of_the_callers_can_be_understood(tmp_path: Path) -> None:
    made = settings(tmp_path, CaseKind.COMPLETE, CaseKind.DICTATION)
    graph = read_sentences(Path(made["stt.pocketsphinx.grammar"]), rejection=0.5)
    plan = make_call([(CaseKind.COMPLETE, 0), (CaseKind.DICTATION, 0)], Half.TUNING, seed=3)
    first = plan.cases[0].take
    assert first is not None
    assert {word.text.lower().strip(".?!,") for word in first.words} <= graph.vocabulary


def test_only_where_callers_do_nothing_but_speak_is_every_sound_a_sentence(tmp_path: Path) -> None:
    assert settings(tmp_path, CaseKind.COMPLETE)["stt.pocketsphinx.rejection"] == "0"
    assert "stt.pocketsphinx.rejection" not in settings(tmp_path, CaseKind.NOISE, CaseKind.BACKCHANNEL)
