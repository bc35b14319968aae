"""The training: one pass over ever new lines, from a checkpoint if there is one."""

from __future__ import annotations

import math
import multiprocessing
import queue
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from scripts.embedded_whisper.batches import PHONE_CLASSES, Batch, BatchMaker
from scripts.embedded_whisper.corpus import Corpus
from scripts.embedded_whisper.network import Heard, Shape, TinyWhisper
from scripts.embedded_whisper.vocabulary import build_vocabulary

_CHECKPOINT_EVERY, _SAY_EVERY = 100, 25
_AHEAD = 6
"""Batches made ahead: few, so that the process that makes them rests when the training is paused."""
_WARM_UP = 0.06
_PHONE_WEIGHT, _PLACE_WEIGHT, _ATTENTION_WEIGHT = 0.3, 0.5, 0.4


@dataclass(frozen=True)
class Course:
    """How to train."""

    steps: int
    seed: int
    threads: int
    bfloat16: bool
    learning_rate: float


@dataclass(frozen=True)
class Losses:
    """What a batch was wrong about."""

    words: Tensor
    phones: Tensor
    places: Tensor
    attention: Tensor
    accuracy: float
    """Share of the next tokens that were right."""

    def total(self, done: float) -> Tensor:
        """What is minimised, when so much of the course is done.

        Where phones lie is only guessed: it helps the encoder to begin, and must not hold it back.
        """
        places = _PLACE_WEIGHT * max(0.0, 1 - 2 * done) * self.places
        return self.words + _PHONE_WEIGHT * self.phones + places + _ATTENTION_WEIGHT * self.attention


def losses(heard: Heard, batch: Batch) -> Losses:
    """Cross-entropy of the words, CTC of the phones and of their places, attention outside the words."""
    logits = heard.logits.float()
    words = functional.cross_entropy(logits.flatten(0, 1), batch.targets.flatten(), ignore_index=-100)
    asked = batch.targets != -100
    accuracy = (logits.argmax(-1) == batch.targets)[asked].float().mean().item()
    spoken = batch.phone_counts > 0
    phones = heard.phones.sum() * 0.0
    if spoken.any():
        phones = functional.ctc_loss(
            heard.phones.float().log_softmax(-1)[spoken].transpose(0, 1),
            batch.phones,
            batch.positions[spoken],
            batch.phone_counts[spoken],
            zero_infinity=True,
        )
    known = batch.places != -100
    guessed = functional.cross_entropy(heard.phones.float()[known], batch.places[known]) if known.any() else phones
    # The last layer looks at the word to say, the first one at the word said before: where to go on from.
    before = functional.pad(batch.spans[:, :-1], (0, 0, 1, 0))
    attention = _missed(heard.attention, batch.spans) + 0.5 * _missed(heard.looking_back, before)
    return Losses(words, phones, guessed, attention, accuracy)


_Made: TypeAlias = "multiprocessing.Queue[list[NDArray[np.generic]] | None]"


def _missed(attention: Tensor, spans: Tensor) -> Tensor:
    """How little of the attention ``[b, heads, t, positions]`` lies in the spans ``[b, t, 2]`` of the words."""
    columns = torch.arange(attention.shape[-1])
    inside = (columns >= spans[..., :1] - 1) & (columns < spans[..., 1:] + 1)
    spoken = spans[..., 1] > spans[..., 0]
    found = (attention * inside[:, None]).sum(-1).transpose(1, 2)[spoken]
    return -(found + 1e-4).log().mean() if spoken.any() else found.sum()


def _make_batches(corpus: Path, seed: int, steps: range, made: _Made) -> None:
    torch.set_num_threads(1)
    trainer = multiprocessing.parent_process()
    assert trainer is not None
    maker = BatchMaker(Corpus(corpus), build_vocabulary(), seed=seed, steps=steps.stop)
    for step in steps:
        batch = maker.make(step)
        # As numpy, by value: torch would hand over its memory, which ends with this process.
        parts = [getattr(batch, part.name).numpy() for part in fields(Batch)]
        while True:
            try:
                made.put(parts, timeout=5)
                break
            except queue.Full:
                if not trainer.is_alive():
                    return
    made.put(None)


def _batches(corpus: Path, seed: int, steps: range) -> Iterator[Batch]:
    """The batches of the steps, made ahead in a process of their own."""
    context = multiprocessing.get_context("spawn")
    made: _Made = context.Queue(_AHEAD)
    process = context.Process(target=_make_batches, args=(corpus, seed, steps, made), daemon=True)
    process.start()
    try:
        while (parts := made.get()) is not None:
            yield Batch(*map(torch.from_numpy, parts))
    finally:
        process.terminate()
        process.join()


def train(corpus: Path, vocabulary: int, shape: Shape, course: Course, checkpoint: Path) -> TinyWhisper:
    """Train on a corpus to the end of the course, saving to ``checkpoint`` and going on from it."""
    torch.set_num_threads(course.threads)
    torch.manual_seed(course.seed)
    model = TinyWhisper(shape, vocabulary, PHONE_CLASSES)
    decayed = [weight for weight in model.parameters() if weight.dim() > 1]
    others = [weight for weight in model.parameters() if weight.dim() <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}], betas=(0.9, 0.98)
    )
    step, spent_s = 0, 0.0
    if checkpoint.is_file():
        saved = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        step, spent_s = saved["step"], saved["spent_s"]
        print(f"going on from step {step}", file=sys.stderr)
    model.train()
    weights = sum(weight.numel() for weight in model.parameters())
    print(f"{weights / 1e6:.2f} million weights, {course.steps} steps", file=sys.stderr)
    began = time.perf_counter() - spent_s
    sums = [0.0] * 5
    for batch in _batches(corpus, course.seed, range(step, course.steps)):
        with torch.autocast("cpu", torch.bfloat16, enabled=course.bfloat16):
            heard = model(batch.features, batch.tokens)
        lost = losses(heard, batch)
        lost.total(step / course.steps).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = course.learning_rate * _pace(step / course.steps)
        optimizer.step()
        optimizer.zero_grad()
        step += 1
        figures = (lost.words.item(), lost.phones.item(), lost.places.item(), lost.attention.item(), lost.accuracy)
        sums = [total + figure for total, figure in zip(sums, figures, strict=True)]
        spent_s = time.perf_counter() - began
        if step % _SAY_EVERY == 0:
            words, phones, places, attention, accuracy = (total / _SAY_EVERY for total in sums)
            sums = [0.0] * 5
            print(
                f"{step}/{course.steps}  {spent_s:.0f} s  words {words:.3f}  phones {phones:.3f}  places {places:.3f}  "
                f"attention {attention:.3f}  right {accuracy:.1%}",
                file=sys.stderr,
                flush=True,
            )
        if step % _CHECKPOINT_EVERY == 0 or step == course.steps:
            content = {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "step": step,
                "spent_s": spent_s,
                "shape": asdict(shape),
            }
            torch.save(content, checkpoint.with_suffix(".new"))
            checkpoint.with_suffix(".new").replace(checkpoint)
    return model.eval()


def _pace(done: float) -> float:
    """Factor on the learning rate: up along a line, down along a cosine (Smith and Topin's one cycle, 2017)."""
    if done < _WARM_UP:
        return max(0.02, done / _WARM_UP)
    return max(1e-3, 0.5 + 0.5 * math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP)))


def load(checkpoint: Path, vocabulary: int) -> TinyWhisper:
    """The model of a checkpoint."""
    saved = torch.load(checkpoint, weights_only=True)
    model = TinyWhisper(Shape(**saved["shape"]), vocabulary, PHONE_CLASSES)
    model.load_state_dict(saved["model"])
    return model.eval()
