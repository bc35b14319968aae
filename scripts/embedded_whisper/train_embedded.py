"""Train the embedded Whisper, in four steps: corpus, train, export, examine. Each goes on from the one before.

    python -m scripts.embedded_whisper.train_embedded all --work build/embedded-whisper

Needs Parley's extra `dev` (torch for CPU, faster-whisper, pocketsphinx, eSpeak NG). The training takes 40 minutes on
two cores that know bfloat16 (AMX), hours on others; one that is stopped goes on from its last hundred steps when it is
started again. The same seed gives the same corpus and the same order; weights agree as far as the machine's arithmetic
does.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.embedded_whisper.corpus import build_corpus
from scripts.embedded_whisper.examination import Engine, Question, Whisper, examine, final_ms, pocketsphinx_for
from scripts.embedded_whisper.export import export
from scripts.embedded_whisper.network import Shape
from scripts.embedded_whisper.training import Course, load, train
from scripts.embedded_whisper.vocabulary import build_tokenizer, build_vocabulary

_STEPS = ("corpus", "train", "export", "examine")


def main() -> None:
    """Run the steps that are asked for."""
    options = _parser().parse_args()
    steps = _STEPS if options.step == "all" else (options.step,)
    for step in steps:
        if step == "corpus":
            _corpus(options)
        elif step == "train":
            _train(options)
        elif step == "export":
            _export(options)
        else:
            _examine(options)


def _corpus(options: argparse.Namespace) -> None:
    def show(done: int) -> None:
        if done % 5000 == 0:
            print(f"{done} of {options.utterances} utterances spoken", file=sys.stderr, flush=True)

    build_corpus(
        options.work / "corpus",
        utterances=options.utterances,
        seed=options.seed,
        processes=options.processes,
        show=show,
    )


def _train(options: argparse.Namespace) -> None:
    shape = Shape(options.width, options.width // 64, options.encoder_layers, options.decoder_layers)
    course = Course(options.steps, options.seed, options.threads, not options.float32, options.learning_rate)
    tokens = build_tokenizer(build_vocabulary()).get_vocab_size()
    train(options.work / "corpus", tokens, shape, course, options.work / "checkpoint.pt")


def _export(options: argparse.Namespace) -> None:
    tokenizer = build_tokenizer(build_vocabulary())
    model = load(options.work / "checkpoint.pt", tokenizer.get_vocab_size())
    folder = export(model, tokenizer, options.work / "model", quantization="int8")
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{folder}: {size / 1e6:.1f} MB", file=sys.stderr)


def _examine(options: argparse.Namespace) -> None:
    """Print one object with both engines' figures; what was misheard goes to standard error."""
    vocabulary = build_vocabulary()
    whisper = Whisper(options.model or options.work / "model")
    waits: list[float] = []

    def pocketsphinx(kind: str, questions: Sequence[Question]) -> Engine:
        engine = pocketsphinx_for(kind, questions)
        engine.waits_s = waits
        return engine

    report: dict[str, object] = {}
    examined = {
        "whisper": examine(lambda _kind, _questions: whisper, vocabulary, options.size),
        "pocketsphinx": examine(pocketsphinx, vocabulary, options.size),
    }
    for name, results in examined.items():
        for result in results:
            for said, heard in result.wrong[: options.show]:
                print(f"{name}  {result.name}:  {said!r} was heard as {heard!r}", file=sys.stderr)
        report[name] = {
            result.name: {
                "word_error_rate": round(result.error_rate, 4),
                "words": result.words,
                "inserted_or_wrong": result.errors,
                "whole_sentences": round(result.whole, 4),
            }
            for result in results
        }
    report["final_after_3_s_ms"] = {
        "whisper": round(final_ms(whisper), 1),
        "pocketsphinx": round(1000 * statistics.median(waits), 1),
    }
    print(json.dumps(report, indent=1))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="train_embedded", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("step", choices=("all", *_STEPS), help="what to do")
    parser.add_argument("--work", type=Path, required=True, help="folder for corpus, checkpoint and model (2 GB)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--utterances", type=int, default=60_000, help="sentences to speak for the corpus")
    parser.add_argument("--processes", type=int, default=2, help="processes that speak")
    parser.add_argument("--steps", type=int, default=6000, help="batches to train on, each 80 s of line")
    parser.add_argument("--threads", type=int, default=2, help="threads of the training; another process makes batches")
    parser.add_argument("--learning-rate", type=float, default=8e-4, help="the highest")
    parser.add_argument("--float32", action="store_true", help="for cores without fast bfloat16")
    parser.add_argument("--model", type=Path, help="model to examine; else the one in the work folder")
    parser.add_argument("--size", type=int, default=120, help="sentences of each set of the examination")
    parser.add_argument("--show", type=int, default=0, help="misheard sentences of each set to print")
    parser.add_argument("--width", type=int, default=192, help="of the model; 64 for each head")
    parser.add_argument("--encoder-layers", type=int, default=4)
    parser.add_argument("--decoder-layers", type=int, default=2)
    return parser


if __name__ == "__main__":
    main()
