"""The real gateway as a process, for tests that talk to it as the world does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

AUTH_TOKEN = "12345"
ACCOUNT_SID = "AC" + "0" * 32
_ROOT = Path(__file__).resolve().parents[2]
_START_WITHIN_S = 60.0


class GatewayProcess:
    """`python -m gateway` with the settings given, on a port of the system's choice; ended with the context."""

    def __init__(self, orchestrator: str, *overrides: str, twilio: bool = True) -> None:
        """`overrides` are settings such as `gateway.max_calls=2`."""
        self._folder = tempfile.TemporaryDirectory(prefix="gateway-")
        self._ready = Path(self._folder.name) / "ready.json"
        self.log_path = Path(self._folder.name) / "gateway.log"
        settings = [f"gateway.orchestrator.target={orchestrator}", "gateway.listen=127.0.0.1:0", "logs.format=json"]
        if twilio:
            settings += [
                "gateway.twilio.enabled=true",
                f"gateway.twilio.account_sid={ACCOUNT_SID}",
                f"gateway.twilio.auth_token={AUTH_TOKEN}",
                "gateway.public_url=http://127.0.0.1:{port}",
                "gateway.inbound.policy=open",
            ]
        settings += overrides
        self._command = [sys.executable, "-m", "gateway", "--ready-file", str(self._ready)]
        for setting in settings:
            self._command += ["--set", setting]
        self._process: subprocess.Popen[bytes] | None = None
        self.address = ""

    def __enter__(self) -> Self:
        environment = {**os.environ, "PYTHONPATH": f"{_ROOT}{os.pathsep}{_ROOT / 'protos'}"}
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(self._command, cwd=_ROOT, env=environment, stderr=log, stdout=log)
        deadline = time.monotonic() + _START_WITHIN_S
        while not self._ready.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._process.kill()
                raise RuntimeError(f"the gateway did not start:\n{self.log}")
            time.sleep(0.02)
        self.address = json.loads(self._ready.read_text())["addresses"]["http"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

    @property
    def base(self) -> str:
        """Where it serves, which is also its public address."""
        return f"http://{self.address}"

    @property
    def log(self) -> str:
        """Everything it has logged."""
        return self.log_path.read_text()

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def terminate(self) -> None:
        """Ask it to stop."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def exit_code(self) -> int:
        """Wait for its end."""
        assert self._process is not None
        return self._process.wait(_START_WITHIN_S)
