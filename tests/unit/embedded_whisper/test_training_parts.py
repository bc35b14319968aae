"""The parts that train the embedded Whisper: what is held out stays out, and what is trained on is what was said."""

from __future__ import annotations

import random
from pathlib import Path

import faster_whisper
import numpy as np
import pytest
import torch
from faster_whisper.audio import pad_or_trim
from faster_whisper.feature_extractor import FeatureExtractor

from scripts.embedded_whisper.batches import PHONE_CLASSES, POSITIONS_PER_S, BatchMaker
from scripts.embedded_whisper.corpus import Corpus, build_corpus, say, training_source
from scripts.embedded_whisper.export import export
from scripts.embedded_whisper.lines import log_mel
from scripts.embedded_whisper.network import Shape, TinyWhisper
from scripts.embedded_whisper.sentences import KINDS, Sentence, is_held_out, words_of
from scripts.embedded_whisper.vocabulary import Vocabulary, build_tokenizer, build_vocabulary
from scripts.embedded_whisper.voices import HELD_OUT_ACCENT, HELD_OUT_TIMBRES, Manner, some_manner

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return build_vocabulary()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("corpus")
    build_corpus(folder, utterances=200, seed=1, processes=1, show=lambda _: None)
    return Corpus(folder)


def test_no_sentence_of_the_examination_is_trained_on(vocabulary: Vocabulary) -> None:
    chance = random.Random(3)
    trained, examined = (training_source(vocabulary, held_out=held_out) for held_out in (False, True))
    assert not any(is_held_out(trained.any(chance).text) for _ in range(2000))
    assert all(is_held_out(examined.draw(kind, chance).text) for kind in KINDS for _ in range(20))


def test_no_voice_of_the_examination_is_trained_on() -> None:
    chance = random.Random(3)
    voices = {some_manner("en", chance).voice for _ in range(5000)}
    timbres = {voice.partition("+")[2] for voice in voices}
    assert not timbres & {voice.partition("+")[2] for voice in HELD_OUT_TIMBRES}
    assert not {voice.partition("+")[0] for voice in voices} & {voice.partition("+")[0] for voice in HELD_OUT_ACCENT}


def test_each_word_is_one_token_and_strange_ones_are_spelled(vocabulary: Vocabulary) -> None:
    tokenizer = build_tokenizer(vocabulary)
    assert tokenizer.encode(" what time is it").tokens == ["Ġwhat", "Ġtime", "Ġis", "Ġit"]
    for text in (" wie spät ist es", " uh-huh o'clock", " xylophone"):
        assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_words_are_timed_as_they_are_said() -> None:
    said = say(Sentence("What time is it?", "demo"), Manner("en-us", 165, 50))
    assert [word.text for word in said.words] == ["what", "time", "is", "it"]
    edges = [edge for word in said.words for edge in (word.start_s, word.end_s)]
    assert edges == sorted(edges)
    assert edges[-1] <= len(said.samples) / said.rate_hz


def test_batches_ask_for_the_words_that_are_complete_where_they_are_heard(
    corpus: Corpus, vocabulary: Vocabulary
) -> None:
    tokenizer = build_tokenizer(vocabulary)
    known = set(vocabulary.words)
    maker = BatchMaker(corpus, vocabulary, seed=1, steps=4)
    texts = 0
    for step in range(4):
        batch = maker.make(step)
        positions = batch.features.shape[2] // 2
        assert batch.features.shape[1] == 80
        assert positions % (5 * POSITIONS_PER_S) == 0
        for targets, spans in zip(batch.targets, batch.spans, strict=True):
            text = tokenizer.decode([token for token in targets.tolist() if token >= 0])
            assert known.issuperset(words_of(text))
            texts += bool(text.strip())
            starts = [int(first) for first, last in spans if last > first]
            assert starts == sorted(starts)
            assert int(spans.max()) <= positions
        assert 0 <= int(batch.phones.min()) <= int(batch.phones.max()) < PHONE_CLASSES
        assert int(batch.phone_counts.sum()) == len(batch.phones)
    assert texts > 20
    again = BatchMaker(corpus, vocabulary, seed=1, steps=4).make(3)
    assert torch.equal(again.features, batch.features)
    assert torch.equal(again.targets, batch.targets)


def test_features_are_faster_whispers() -> None:
    speech = say(Sentence("how much is twelve minus four", "demo"), Manner("en", 165, 50), rate_hz=16_000).samples
    ours = log_mel([speech], 5, np.array([False]))[0].numpy()
    theirs = FeatureExtractor()(speech)
    assert np.abs(ours[:, : theirs.shape[1]] - theirs).max() < 1e-3
    assert not ours[:, theirs.shape[1] :].any()


def test_what_is_exported_computes_what_was_trained(vocabulary: Vocabulary, tmp_path: Path) -> None:
    tokenizer = build_tokenizer(vocabulary)
    torch.manual_seed(1)
    network = TinyWhisper(Shape(64, 1, 2, 1), tokenizer.get_vocab_size(), PHONE_CLASSES).eval()
    folder = export(network, tokenizer, tmp_path / "model", quantization=None)
    loaded = faster_whisper.WhisperModel(str(folder), device="cpu", compute_type="float32", local_files_only=True)
    features = np.random.default_rng(1).standard_normal((80, 500)).astype(np.float32)
    encoded = loaded.encode(pad_or_trim(features, 500))
    with torch.no_grad():
        expected = network.encode(torch.from_numpy(features)[None])
        assert np.abs(np.array(encoded) - expected.numpy()).max() < 1e-3
        prompt = [tokenizer.token_to_id(f"<|{name}|>") for name in ("startoftranscript", "en", "transcribe")]
        prompt.append(tokenizer.token_to_id("<|notimestamps|>"))
        written = loaded.model.generate(encoded, [prompt], beam_size=1, max_length=20)[0].sequences_ids[0]
        said = torch.tensor([[*prompt, *written]])
        best = network(torch.from_numpy(features)[None], said).logits[0].argmax(-1).tolist()
    assert written
    assert best[len(prompt) - 1 : -1] == written
