"""Builds ``stt_service``'s adaptation of pocketsphinx's en-us model to the telephone.

The model in pocketsphinx's wheel was trained on 16 kHz speech. Over the telephone the upper five of its mel filters
hear nothing, and it takes one number word for another. This moves the means of its Gaussians to where they lie in
8 kHz μ-law speech::

    python -m tests.models.telephone_means stt_service/engines/pocketsphinx/telephone.npz

1. eSpeak sentences are aligned in full band, where the unadapted model is at home, and heard over the telephone in
   step with it: single-pass retraining on stereo data (Moreno and Stern, 1996; P. Woodland et al., 1996).
2. One affine transform of all means per feature stream, by maximum likelihood (MLLR: Leggetter and Woodland, 1995),
   iterated with the transformed model's own posteriors.
3. From there each mean moves with the frames it saw (MAP: Gauvain and Lee, 1994).

Sentences are drawn at random: half of them from the demo's grammar, the others are everyday English and the half of
the turn-taking corpus that nothing is reported on. The voices leave out some that tests listen to, and of each accent
of that corpus most variants. Takes some fifteen minutes and is not repeated by tests.
"""

from __future__ import annotations

import random
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pocketsphinx
from numpy.typing import NDArray

from servicekit.audio import LiveResampler, decode_mulaw, encode_mulaw, resample, to_float, to_int16
from tests.models.acoustic_model import read_gaussians
from toolbox.bench.turn_taking.corpus.texts import ALICE, HOLMES, Half, of_half
from tts_service import espeak_speech

Floats = NDArray[np.float64]

MODEL_HZ = 16_000
VOICES = (
    "en", "en-us", "en-gb-x-rp", "en-gb-scotland", "en-gb-x-gbclan", "en-us+m1", "en-us+m4", "en-us+m6", "en-us+f1",
    "en-us+f2", "en-us+f4", "en-us+f5", "en+m3", "en+m6", "en+f1", "en+f4", "en-gb-x-rp+f2", "en-gb-x-rp+f5",
    "en-gb-x-rp+m2", "en-gb-x-rp+m5", "en-gb-scotland+m2", "en-gb-scotland+f3", "en-029", "en-029+m1", "en-029+m3",
    "en-029+f1", "en-029+f4",
)  # fmt: skip
_SENTENCES = 3600
_ITERATIONS = 3
_PRIOR_FRAMES = 20.0
_UNITS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_PHRASES = """what time is it|what is the time|tell me the time|what time is it now|hello|hi|good morning|how are you
what is your name|who are you|thank you|thank you|tell me a story|tell me a long story|stop|stop please|wait
wait a moment|no|yes|okay|right|goodbye|good bye|bye|thank you goodbye|stop|wait|no""".replace("\n", "|").split("|")
_EVERYDAY = """the weather in this town is rather cold tonight|she put a small box of fish on the shelf
could you please open the window for me|his father used to sell fresh fruit near the church
they should have finished the job before five|a quick brown fox jumps over the lazy dog
the young boy gave the shop another chance|i think that is a very good question
we went for a long walk along the river yesterday|most people enjoy a measure of pleasure with their work
nothing is certain except the things we choose|thin sheets of paper were stuck to the ceiling
please send the letter to the other office|her voice was soft but everybody could hear it
the judge asked for a large glass of orange juice|six thick thistle sticks stood by the fence
how far away is the nearest hospital from here|he bought a pair of shoes and a yellow hat
the child was watching a vision of bright stars|three of the fishermen were lost in the storm
it is usually better to be safe than sorry|they measured the sixty feet of garage roof
both brothers have moved south with their families|the zoo shows visitors several dozen lizards
go back home and take the dishes with you|do you want coffee or would you rather have tea
fifty five officers left the field at half past four|a thousand thanks for the thoughtful present""".replace(
    "\n", "|"
).split("|")

_CORPUS = tuple(
    " ".join(re.findall(r"[a-z]+(?:'[a-z]+)*", text.lower())) for text in of_half((*ALICE, *HOLMES), Half.TUNING)
)


def sentence(chance: random.Random) -> str:
    """Draw a sentence."""

    def number() -> str:
        kind = chance.randrange(6)
        if kind < 2:
            return chance.choice(_UNITS)
        if kind == 2:
            return chance.choice(_TEENS)
        if kind == 3:
            return chance.choice(_TENS)
        if kind == 4:
            return f"{chance.choice(_TENS)} {chance.choice(_UNITS)}"
        return chance.choice(("zero", "one hundred", "a hundred"))

    kind = chance.random()
    if kind < 0.35:
        opening = chance.choice(("what is", "how much is"))
        return f"{opening} {number()} {chance.choice(('plus', 'minus', 'times', 'divided by'))} {number()}"
    return chance.choice(_PHRASES if kind < 0.5 else _EVERYDAY if kind < 0.75 else _CORPUS)


def over_the_telephone(
    speech: NDArray[np.float32], rate_hz: int, *, level_dbfs: float, snr_db: float, noise: np.random.Generator
) -> NDArray[np.float32]:
    """What the engine hears of ``speech`` at 16 kHz, after noise, 8 kHz μ-law and the live resampler."""
    narrow = resample(speech, rate_hz, 8000)
    voiced = narrow[np.abs(narrow) > 0.01]
    narrow = narrow * (10 ** (level_dbfs / 20) / np.sqrt(np.mean(voiced**2)))
    narrow = narrow + noise.standard_normal(narrow.shape[0]) * 10 ** ((level_dbfs - snr_db) / 20)
    heard = to_float(decode_mulaw(encode_mulaw(to_int16(narrow.astype(np.float32)))))
    return LiveResampler(8000, MODEL_HZ).process(heard)


class Cepstra:
    """Reads pocketsphinx's own features, by way of the files that it logs them to."""

    def __init__(self, **settings: Any) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._count = 0
        self.decoder = pocketsphinx.Decoder(
            lm=None, loglevel="FATAL", mfclogdir=self._folder.name, **{"hmm": _hmm(), "dict": _dictionary(), **settings}
        )

    def of(self, audio: NDArray[np.float32], *, search: bool) -> Floats:
        """Cepstra ``[frames, 13]`` before mean normalisation; RuntimeError when a search finds nothing."""
        file = Path(self._folder.name) / f"{self._count:09d}.mfc"
        self._count += 1
        self.decoder.start_utt()
        self.decoder.process_raw(to_int16(audio).tobytes(), no_search=not search, full_utt=search)
        self.decoder.end_utt()
        cepstra = np.frombuffer(file.read_bytes(), ">f4", offset=4).reshape(-1, 13).astype(np.float64)
        file.unlink()
        return cepstra


def features(cepstra: Floats, mean: Floats) -> Floats:
    """The model's three streams ``[frames, 3, 13]``: cepstra, their differences and second differences."""
    padded = np.pad(cepstra - mean, ((3, 3), (0, 0)), "edge")
    count = len(cepstra)

    def at(offset: int) -> Floats:
        return padded[3 + offset : 3 + offset + count]

    return np.stack([at(0), at(2) - at(-2), (at(3) - at(-1)) - (at(1) - at(-3))], axis=1)


class Corpus:
    """Aligned frames of both bands."""

    def __init__(self, seed: int, sentences: int) -> None:
        self.full: Floats
        self.telephone: Floats
        chance, noise = random.Random(seed), np.random.default_rng(seed)
        aligner, telephone = Cepstra(), Cepstra()
        telephone.decoder.add_keyphrase("any", "hello")
        telephone.decoder.activate_search("any")
        phones = read_gaussians(Path(_hmm())).phones
        full: list[Floats] = []
        narrow: list[Floats] = []
        labels: list[tuple[int, int]] = []
        for _ in range(sentences):
            text = sentence(chance)
            speech, rate_hz = espeak_speech(
                text,
                chance.choice(VOICES),
                rate_wpm=chance.choice((130, 150, 165, 180, 200)),
                pitch=chance.choice((35, 50, 65)),
            )
            quiet = [np.zeros(int(rate_hz * chance.uniform(0.1, 0.5)), np.float32) for _ in range(2)]
            speech = np.concatenate([quiet[0], speech, quiet[1]])
            heard = over_the_telephone(
                speech,
                rate_hz,
                level_dbfs=chance.uniform(-30, -15),
                snr_db=chance.choice((15, 20, 25, 30, 40)),
                noise=noise,
            )
            wide = resample(speech, rate_hz, MODEL_HZ) * np.float32(0.4)
            wide = wide + noise.standard_normal(wide.shape, dtype=np.float32) * np.float32(1e-3)
            try:
                clean, states = _align(aligner, wide, text)
            except RuntimeError:
                continue
            cepstra = telephone.of(heard, search=False)
            count = min(len(clean), len(cepstra), len(states))
            full.append(features(clean[:count], clean.mean(axis=0)))
            narrow.append(cepstra[:count])
            labels += [(phones[phone], senone) for phone, senone in states[:count]]
        # Live normalisation starts from this mean and keeps it for eight seconds: nearly always the whole utterance.
        self.mean: Floats = np.asarray(np.concatenate(narrow).mean(axis=0)).round(2)
        self.full = np.concatenate(full)
        self.telephone = np.concatenate([features(cepstra, self.mean) for cepstra in narrow])
        self.codebook, self.senone = np.array(labels).T


def _align(aligner: Cepstra, audio: NDArray[np.float32], text: str) -> tuple[Floats, list[tuple[str, int]]]:
    """Cepstra and, for each frame, its phone and senone."""
    aligner.decoder.set_align_text(text)
    aligner.of(audio, search=True)
    aligner.decoder.set_alignment()
    cepstra = aligner.of(audio, search=True)
    states: list[tuple[str, int]] = []
    for word in aligner.decoder.get_alignment():
        for phone in word:
            for state in phone:
                states += [(phone.name, int(state.name))] * state.duration
    return cepstra, states


class Statistics:
    """Occupancy and sum of the telephone's frames for each Gaussian, the posteriors being those of ``observed``."""

    def __init__(self, corpus: Corpus, observed: Floats, means: Floats, variances: Floats, log_weights: Floats) -> None:
        self.occupancy = np.zeros(means.shape[:3])
        self.total = np.zeros(means.shape)
        for codebook in range(means.shape[0]):
            of_codebook = np.flatnonzero(corpus.codebook == codebook)
            for frames in np.array_split(of_codebook, len(of_codebook) // 2000 + 1):
                mean, variance = means[codebook], variances[codebook]
                score = -0.5 * ((observed[frames][:, :, None] - mean) ** 2 / variance + np.log(variance)).sum(axis=-1)
                score += log_weights[:, :, corpus.senone[frames]].transpose(2, 0, 1)
                posterior = np.exp(score - score.max(axis=-1, keepdims=True))
                posterior /= posterior.sum(axis=-1, keepdims=True)
                self.occupancy[codebook] += posterior.sum(axis=0)
                self.total[codebook] += np.einsum("tsg,tsd->sgd", posterior, corpus.telephone[frames])


def mllr(statistics: Statistics, means: Floats, variances: Floats) -> Floats:
    """The means after the affine transform that makes the telephone's frames likeliest, one for each stream."""
    moved = np.empty_like(means)
    for stream in range(means.shape[1]):
        mean, variance = means[:, stream].reshape(-1, 13), variances[:, stream].reshape(-1, 13)
        occupancy, total = statistics.occupancy[:, stream].reshape(-1), statistics.total[:, stream].reshape(-1, 13)
        extended = np.concatenate([np.ones((len(mean), 1)), mean], axis=1)
        rows = []
        for i in range(13):
            normal = (extended * (occupancy / variance[:, i])[:, None]).T @ extended + 1e-3 * np.eye(14)
            rows.append(np.linalg.solve(normal, (extended * (total[:, i] / variance[:, i])[:, None]).sum(axis=0)))
        moved[:, stream] = (extended @ np.array(rows).T).reshape(means.shape[0], -1, 13)
    return moved


def build(seed: int = 7, sentences: int = _SENTENCES) -> tuple[Floats, Floats]:
    """The adapted means ``[codebooks, 3, densities, 13]`` and the telephone's mean cepstrum ``[13]``."""
    gaussians = read_gaussians(Path(_hmm()))
    corpus = Corpus(seed, sentences)
    model = gaussians.variances, gaussians.log_weights
    statistics = Statistics(corpus, corpus.full, gaussians.means, *model)
    means = mllr(statistics, gaussians.means, gaussians.variances)
    for _ in range(_ITERATIONS):
        statistics = Statistics(corpus, corpus.telephone, means, *model)
        means = mllr(statistics, gaussians.means, gaussians.variances)
    adapted = (_PRIOR_FRAMES * means + statistics.total) / (_PRIOR_FRAMES + statistics.occupancy[..., None])
    return adapted, corpus.mean


def _hmm() -> str:
    return str(pocketsphinx.get_model_path("en-us/en-us"))


def _dictionary() -> str:
    return str(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict"))


if __name__ == "__main__":
    adapted_means, mean_cepstrum = build()
    np.savez_compressed(sys.argv[1], means=adapted_means.astype(np.float16), cepstral_mean=mean_cepstrum)
