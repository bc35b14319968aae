"""What a service's ``run`` is given."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from servicekit.logs import get_logger
from servicekit.settings import SettingsModel
from servicekit.telemetry import Telemetry

_log = get_logger(__name__)

S = TypeVar("S", bound=SettingsModel)


@dataclass
class Process(Generic[S]):
    """One running service."""

    name: str
    """As in traces, such as ``parley-stt``."""
    settings: S
    telemetry: Telemetry
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by the first SIGTERM or SIGINT: drain and return."""
    ready_file: Path | None = None

    def report_ready(self, **addresses: str) -> None:
        """Say that the service can be used, and where: in the log, and in the ready file if one was asked for.

        The file appears whole or not at all: ``{"service", "pid", "addresses": {…}}``. Call it once, when everything
        is loaded.
        """
        # Models and modules stay for good: the collector need not walk them while calls are live.
        gc.collect()
        gc.freeze()
        if self.ready_file is not None:
            _write_whole(
                self.ready_file,
                json.dumps({"service": self.name, "pid": os.getpid(), "addresses": addresses}) + "\n",
            )
        _log.info("ready", **{f"{role}_address": address for role, address in addresses.items()})


def _write_whole(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        raise
