"""One run of one process: started, read, awaited, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_TETHER = str(Path(__file__).with_name("tether.py"))
_READY_POLL_S = 0.02
_LONGEST_LINE = 256 * 1024
KEPT_LINES = 200


class Child:
    """A running process in a session of its own, so that a terminal's Ctrl-C reaches its supervisor alone."""

    def __init__(self, process: asyncio.subprocess.Process, ready_file: Path, on_line: Callable[[str], None]) -> None:
        self._process = process
        self._ready_file = ready_file
        self._on_line = on_line
        self.addresses: dict[str, str] = {}
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._reader = asyncio.create_task(self._read(), name=f"log-of-{process.pid}")

    @classmethod
    async def start(
        cls,
        module: str,
        arguments: Sequence[str],
        *,
        ready_file: Path,
        environment: Mapping[str, str],
        on_line: Callable[[str], None],
    ) -> Child:
        """Start ``python -m module`` tied to this process's life."""
        ready_file.unlink(missing_ok=True)  # noqa: ASYNC240 - in memory, in effect
        command = [sys.executable, "-m", module, *arguments, "--ready-file", str(ready_file)]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", _TETHER, str(os.getpid()), *command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            start_new_session=True,
        )
        return cls(process, ready_file, on_line)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Exit status; negative for the signal that ended it; None while it runs."""
        return self._process.returncode

    async def wait(self) -> int:
        """Wait for its end, its last lines read, and return the exit status."""
        status = await self._process.wait()
        # Something it started may hold the pipe open: its log does not hold us.
        await asyncio.wait([self._reader], timeout=1.0)
        if not self._reader.done():
            self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader
        return status

    async def wait_ready(self) -> bool:
        """Wait until it reports ready, which fills `addresses`; False when it ended without."""
        ended = asyncio.ensure_future(self._process.wait())
        try:
            while True:
                # Asked before looking: it may report and end between the two.
                over = ended.done()
                report = self._ready_report()
                if report is not None:
                    self.addresses = report
                    return True
                if over:
                    return False
                await asyncio.wait([ended], timeout=_READY_POLL_S)
        finally:
            ended.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ended

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens when it has ended."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def stop(self, timeout_s: float) -> bool:
        """SIGTERM, then SIGKILL after a timeout; True when it ended by itself."""
        self.send(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.wait(), timeout_s)
        except TimeoutError:
            self.send(signal.SIGKILL)
            await self.wait()
            return False
        return True

    def _ready_report(self) -> dict[str, str] | None:
        try:
            # Small and local; written whole or not at all.
            report = json.loads(self._ready_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return {str(key): str(address) for key, address in report["addresses"].items()}

    async def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        rest = b""
        while chunk := await stream.read(65536):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                self._note(line)
            if len(rest) > _LONGEST_LINE:
                self._note(rest)
                rest = b""
        if rest:
            self._note(rest)

    def _note(self, raw: bytes) -> None:
        line = raw.decode("utf-8", "replace").rstrip("\r")
        self.lines.append(line)
        self._on_line(line)
