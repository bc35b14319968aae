"""The corpus without its sound: what is true of each take, and its windows. Small enough to keep on disk."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

import orchestrator.vad
import toolbox.bench.turn_taking.corpus
import toolbox.phone.line
from orchestrator.clean_up import CleanUpSettings
from servicekit.audio import decode_mulaw, encode_mulaw, level_dbfs, to_float, to_int16
from toolbox.bench.turn_taking import replies
from toolbox.bench.turn_taking.corpus import (
    CaseKind,
    Counts,
    Echo,
    Half,
    Slot,
    Take,
    Word,
    line_noise,
    make_call,
    slots,
)
from toolbox.bench.turn_taking.pure import windows as pure_windows
from toolbox.bench.turn_taking.pure.windows import Judge, Windows
from toolbox.bench.turn_taking.replies import LONG, spoken_reply


@dataclass(frozen=True)
class JudgedTake:
    """A take by its truth and its windows; times as in `Take`."""

    words: tuple[Word, ...]
    speech_start_ms: float
    speech_end_ms: float
    pauses: tuple[tuple[float, float], ...]
    windows: Windows


@dataclass(frozen=True)
class JudgedCase:
    """A case, see `Case`."""

    case_id: str
    kind: CaseKind
    detail: str
    take: JudgedTake | None
    opening: JudgedTake | None
    onset_ms: float


@dataclass(frozen=True)
class JudgedCall:
    """A call, see `CallPlan`; ``echo_windows`` are those of the long reply as the line gives it back."""

    call_id: str
    noise_dbfs: float
    cases: tuple[JudgedCase, ...]
    echo: Echo | None
    echo_windows: Windows | None
    brief: bool


# Of the line's own noise the detector hears so much first: two to three seconds, since about once a second it is made
# to forget them, and callers speak at any moment between.
_BACKGROUND_SAMPLES = 16_000
_BACKGROUND_STEPS, _STEP_SAMPLES = 32, 256
_CORPUS = TypeAdapter(list[JudgedCall])


def judged_corpus(
    counts: Counts,
    half: Half,
    seed: int,
    *,
    cache: Path | None,
    workers: int = 1,
    clean_up: CleanUpSettings | None = None,
    on_call: Callable[[int, int], None] = lambda done, all_: None,
) -> list[JudgedCall]:
    """The calls of a half, judged; read from ``cache`` where they lie there, else made and put there.

    Args:
        counts: Cases of each class.
        half: Which half.
        seed: Of everything that is random.
        cache: Folder; None keeps nothing.
        workers: Processes that make them.
        clean_up: What is done to the caller's sound before it is judged; nothing unless this asks for something.
        on_call: Given how many calls are made, and of how many.
    """
    path = cache / f"{_key(counts, half, seed, clean_up)}.json" if cache is not None else None
    if path is not None and path.is_file():
        return _CORPUS.validate_json(path.read_bytes())
    dealt = slots(counts, half, seed)
    made: list[JudgedCall] = []
    for judged in _made(dealt, half, seed, workers, clean_up):
        made.append(judged)
        on_call(len(made), len(dealt))
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_bytes(_CORPUS.dump_json(made))
        draft.rename(path)
    return made


def default_cache() -> Path:
    """Where the corpus is kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "parley" / "turn-taking"


def _key(counts: Counts, half: Half, seed: int, clean_up: CleanUpSettings | None) -> str:
    """Changes whenever anything that makes or judges the corpus does."""
    digest = hashlib.sha256(repr((sorted((kind.value, n) for kind, n in counts.items()), half, seed)).encode())
    folder = Path(toolbox.bench.turn_taking.corpus.__file__ or "").parent
    others = [orchestrator.vad.__file__, toolbox.phone.line.__file__, replies.__file__, pure_windows.__file__, __file__]
    for source in [*sorted(folder.glob("*.py")), *(Path(other) for other in others if other)]:
        digest.update(source.read_bytes())
    if clean_up is not None and clean_up.wanted:
        digest.update(clean_up.model_dump_json().encode())
    return digest.hexdigest()[:24]


def _made(
    dealt: list[tuple[Slot, ...]], half: Half, seed: int, workers: int, clean_up: CleanUpSettings | None
) -> Iterator[JudgedCall]:
    if workers <= 1 or len(dealt) < 8:
        judge = Judge(clean_up)
        for members in dealt:
            yield _judged(members, half, seed, judge)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(_judged_apart, [(members, half, seed, clean_up) for members in dealt], chunksize=4)


_judge_of_this_process: list[Judge] = []


def _judged_apart(asked: tuple[tuple[Slot, ...], Half, int, CleanUpSettings | None]) -> JudgedCall:
    members, half, seed, clean_up = asked
    # A pool's processes judge one corpus, all of it alike.
    if not _judge_of_this_process:
        _judge_of_this_process.append(Judge(clean_up))
    return _judged(members, half, seed, _judge_of_this_process[0])


def _judged(members: tuple[Slot, ...], half: Half, seed: int, judge: Judge) -> JudgedCall:
    call = make_call(members, half, seed)
    length = _BACKGROUND_SAMPLES + call.seed % _BACKGROUND_STEPS * _STEP_SAMPLES
    background = encode_mulaw(to_int16(line_noise(call.speaker, call.seed)[:length]))
    cases = tuple(
        JudgedCase(
            case.case_id,
            case.kind,
            case.detail,
            _take(case.take, judge, background),
            _take(case.opening, judge, background),
            case.onset_ms,
        )
        for case in call.cases
    )
    echo_windows = None
    if call.echo is not None:
        returned = spoken_reply(LONG).samples * np.float32(10 ** (call.echo.gain_db / 20))
        bed = np.random.default_rng(call.seed).standard_normal(returned.size) * 10 ** (call.speaker.noise_dbfs / 20)
        line = encode_mulaw(to_int16(np.asarray(returned + bed, np.float32)))
        echo_windows = judge.windows_of(to_float(decode_mulaw(line)), to_float(decode_mulaw(background)))
    noise_dbfs = call.speaker.noise_dbfs
    if judge.cleans:
        alone = to_float(decode_mulaw(background))
        noise_dbfs = round(level_dbfs(judge.cleaned(alone[-8000:], alone)[1]), 1)
    return JudgedCall(call.call_id, noise_dbfs, cases, call.echo, echo_windows, call.brief)


def _take(take: Take | None, judge: Judge, background: bytes) -> JudgedTake | None:
    if take is None:
        return None
    windows = judge.windows(take.mulaw, background)
    return JudgedTake(take.words, take.speech_start_ms, take.speech_end_ms, take.pauses, windows)
