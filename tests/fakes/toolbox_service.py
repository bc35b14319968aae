"""A Fake service process: takes servicekit.process's flags, binds a port, reports ready, and misbehaves on order.

Run as ``python -m tests.fakes.toolbox_service --as MODE``. What it was given is in its first log line.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path


class FakeService:
    """One run of it. Modes: steady, bad-settings, cannot-start, never-ready, deaf (ignores SIGTERM), dies."""

    def __init__(self) -> None:
        parser = argparse.ArgumentParser()
        parser.add_argument("--as", dest="mode", default="steady")
        parser.add_argument("--config")
        parser.add_argument("--set", dest="settings", action="append", default=[])
        parser.add_argument("--ready-file", type=Path)
        self.options = parser.parse_args()

    def run(self) -> None:
        """Live until told otherwise."""
        mode = self.options.mode
        self._say("started", settings=self.options.settings, pid=os.getpid())
        if mode == "bad-settings":
            sys.stderr.write("stt.listne: unknown setting - did you mean 'listen'?\n")
            sys.exit(2)
        if mode == "cannot-start":
            self._say("the model is not on disk", level="error")
            sys.exit(1)
        if mode == "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if mode != "never-ready":
            self._report_ready()
        if mode == "dies":
            sys.exit(1)
        while True:
            time.sleep(0.05)

    def _report_ready(self) -> None:
        chosen = [value.partition("=")[2] for value in self.options.settings if ".listen=" in value]
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", int(chosen[-1].rpartition(":")[2]) if chosen else 0))
            address = f"127.0.0.1:{listener.getsockname()[1]}"
        report = {"service": "fake", "pid": os.getpid(), "addresses": {"grpc": address}}
        draft = self.options.ready_file.with_suffix(".draft")
        draft.write_text(json.dumps(report))
        draft.rename(self.options.ready_file)

    def _say(self, event: str, level: str = "info", **facts: object) -> None:
        sys.stdout.write(json.dumps({"event": event, "level": level, **facts}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    FakeService().run()
