"""A model that hears whether the caller has finished: smart-turn v3 and its like, through ONNX Runtime.

Such a model takes Whisper's log-mel features of the last 8 s at 16 kHz, float32 ``[1, 80, 800]``, silence before them
where there is less, and gives one number (the chance that the turn is over) or two (the scores of "goes on", "over").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from orchestrator.end_of_turn.graph import gives_probability
from orchestrator.end_of_turn.log_mel import BANDS, FRAMES, last_8_s, log_mel
from orchestrator.end_of_turn.settings import EndOfTurnSettings
from servicekit.startup import StartupError

_SETTING = "orchestrator.end_of_turn.model"
_FLOATS = frozenset({"tensor(float)", "tensor(float16)", "tensor(double)"})


class EndOfTurnError(Exception):
    """A model gave something that is no probability."""


class _Tensor(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def shape(self) -> Sequence[int | str | None]: ...


class _Session(Protocol):
    def run(self, output_names: Sequence[str] | None, input_feed: dict[str, NDArray[np.float32]]) -> Sequence[Any]: ...
    def get_inputs(self) -> Sequence[_Tensor]: ...
    def get_outputs(self) -> Sequence[_Tensor]: ...


class EndOfTurnModel:
    """A loaded model. ``probability`` may be called by several threads at once; it holds the GIL only for moments."""

    def __init__(self, session: _Session, *, bounded: bool) -> None:
        """Use a session of the right shape; ``bounded`` tells that its output is a probability already."""
        self._session = session
        self._input = session.get_inputs()[0].name
        self._output = session.get_outputs()[0].name
        self.bounded = bounded

    @classmethod
    def load(cls, settings: EndOfTurnSettings) -> EndOfTurnModel | None:
        """Load the model of the settings and try it once; blocks meanwhile. None when the settings name none.

        Raises StartupError, naming the setting and the remedy: ONNX Runtime is not installed, the file is not there or
        not an ONNX model, or what it takes or gives is not what such models do.
        """
        if not settings.model.strip():
            return None
        path = Path(settings.model).expanduser()
        try:
            content = path.read_bytes()
        except OSError as error:
            raise StartupError(f"{_SETTING}: {path} cannot be read: {error.strerror or error}") from error
        session = _open(path, settings.threads)
        _check(path, session)
        if settings.output == "auto":
            bounded = gives_probability(content, session.get_outputs()[0].name)
        else:
            bounded = settings.output == "probability"
        model = cls(session, bounded=bounded)
        try:
            model.probability(np.zeros(0, dtype=np.float32))
        except EndOfTurnError as error:
            raise StartupError(f"{_SETTING}: {path}: {error}") from error
        except Exception as error:  # ONNX Runtime's errors have no common base but this
            raise StartupError(f"{_SETTING}: {path} fails on 8 s of silence: {_first_line(error)}") from error
        return model

    def probability(self, samples: NDArray[np.float32]) -> float:
        """Chance that the turn is over, of float32 samples ``[n]`` at 16 kHz that end now; the last 8 s count.

        Blocks for some tens of milliseconds: never call it on an event loop. EndOfTurnError for a result that cannot be
        a probability.
        """
        features = log_mel(last_8_s(samples))
        outputs = self._session.run([self._output], {self._input: features[np.newaxis]})
        scores = np.asarray(outputs[0], dtype=np.float64).ravel()
        if scores.shape[0] not in {1, 2} or not np.isfinite(scores).all():
            raise EndOfTurnError(f"the model gave {scores.shape[0]} scores, or none that are numbers")
        return _bounded(scores) if self.bounded else _squashed(scores)


def _open(path: Path, threads: int) -> _Session:
    try:
        import onnxruntime  # noqa: PLC0415 - an extra of its own
    except ImportError as error:
        raise StartupError(
            f"{_SETTING} is set, but ONNX Runtime is not installed: install Parley's extra `orchestrator-end-of-turn`, "
            "or leave the setting empty"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Threads that spin between judgements would take the cores that live calls need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session: _Session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors have no common base but this
        raise StartupError(f"{_SETTING}: {path} is not a model that can be run: {_first_line(error)}") from error
    return session


def _check(path: Path, session: _Session) -> None:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    expected = f"one float32 input of [1, {BANDS}, {FRAMES}] (Whisper log-mel features of 8 s, as smart-turn v3)"
    if len(inputs) != 1:
        names = ", ".join(tensor.name for tensor in inputs)
        raise StartupError(f"{_SETTING}: {path} takes {len(inputs)} inputs ({names}), not {expected}")
    taken = inputs[0]
    if taken.type != "tensor(float)" or not _fits(taken.shape, (1, BANDS, FRAMES)):
        raise StartupError(f"{_SETTING}: {path} takes {taken.type} of {list(taken.shape)}, not {expected}")
    given = outputs[0]
    if given.type not in _FLOATS:
        raise StartupError(f"{_SETTING}: {path} gives {given.type}, not a probability or scores")


def _fits(shape: Sequence[int | str | None], wanted: Sequence[int]) -> bool:
    """Whether a tensor of ``wanted`` may be given; a dimension with a name in place of a number is free."""
    return len(shape) == len(wanted) and all(
        not isinstance(size, int) or size == needed for size, needed in zip(shape, wanted, strict=True)
    )


def _bounded(scores: NDArray[np.float64]) -> float:
    over = float(scores[-1])
    if not -0.001 <= over <= 1.001:
        raise EndOfTurnError(
            f'the model gave {over:.3g}, which is no probability: set orchestrator.end_of_turn.output to "logit"'
        )
    return min(1.0, max(0.0, over))


def _squashed(scores: NDArray[np.float64]) -> float:
    logit = float(scores[-1] - scores[0]) if scores.shape[0] == 2 else float(scores[0])
    return 0.5 * (1.0 + math.tanh(0.5 * logit))  # the sigmoid, without an exponential that overflows


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
