"""Reads the files of a PTM acoustic model of the Sphinx family (sphinxbase's s3 and sendump formats)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LOG_BASE = 1.0001
_WEIGHT_SHIFT = 1024  # sendump holds log weights in steps of 2^10 of this base
_VARIANCE_FLOOR = 1e-4


@dataclass(frozen=True)
class Gaussians:
    """A phonetically tied mixture model: one codebook of Gaussians for each phone and stream."""

    means: Floats
    """``[codebooks, streams, densities, 13]``."""
    variances: Floats
    """As the means."""
    log_weights: Floats
    """Natural logarithms ``[streams, densities, senones]``."""
    phones: dict[str, int]
    """Codebook of each phone."""


def read_gaussians(folder: Path) -> Gaussians:
    """Read ``means``, ``variances``, ``sendump`` and ``mdef`` of a model folder."""
    means = _s3(folder / "means")
    return Gaussians(
        means,
        np.maximum(_s3(folder / "variances"), _VARIANCE_FLOOR),
        _log_weights(folder / "sendump", streams=means.shape[1], densities=means.shape[2]),
        _phones(folder / "mdef", means.shape[0]),
    )


def _s3(file: Path) -> Floats:
    content = file.read_bytes()
    start = content.index(b"endhdr\n") + len(b"endhdr\n")
    magic, codebooks, streams, densities = np.frombuffer(content, "<i4", 4, start)
    if magic != 0x11223344:
        raise ValueError(f"{file} was written on a machine of another byte order")
    lengths = np.frombuffer(content, "<i4", streams, start + 16)
    count = int(np.frombuffer(content, "<i4", 1, start + 16 + 4 * streams)[0])
    values = np.frombuffer(content, "<f4", count, start + 20 + 4 * streams)
    return values.reshape(codebooks, streams, densities, lengths[0]).astype(np.float64)


def _log_weights(file: Path, *, streams: int, densities: int) -> Floats:
    content = file.read_bytes()
    place = 0
    while (length := struct.unpack_from("<i", content, place)[0]) != 0:
        place += 4 + length
    rows, senones = struct.unpack_from("<2i", content, place + 4)
    if rows != densities:
        raise ValueError(f"{file} holds {rows} weights a codebook, the means {densities}")
    steps = np.frombuffer(content, np.uint8, streams * rows * senones, place + 12).reshape(streams, rows, senones)
    weights: Floats = steps.astype(np.float64) * (-_WEIGHT_SHIFT * np.log(_LOG_BASE))
    return weights


def _phones(file: Path, count: int) -> dict[str, int]:
    content = file.read_bytes()
    names = content[content.index(b"+NSN+\0") :].split(b"\0", count)[:count]
    return {name.decode(): number for number, name in enumerate(names)}
