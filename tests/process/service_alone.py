"""One service as a process of its own: started by its module, asked over gRPC, ended with SIGTERM."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

GUARD_S = 60.0
"""A hang guard, never a measure."""

ROOT = Path(__file__).resolve().parents[2]


def start(section: str, settings: tuple[str, ...], ready: Path) -> subprocess.Popen[str]:
    """Start the service of ``section`` (``stt``, ``tts``) with ``section.key=value`` settings, on any free port."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "protos")])
    command = [sys.executable, "-m", f"{section}_service", "--ready-file", str(ready)]
    for setting in (f"{section}.listen=127.0.0.1:0", *settings):
        command += ["--set", setting]
    return subprocess.Popen(
        command, env=environment, cwd=ready.parent, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


@contextmanager
def running(section: str, folder: Path, *settings: str) -> Iterator[tuple[subprocess.Popen[str], grpc.Channel]]:
    """A service that is ready, and a channel to it; ended with SIGTERM."""
    ready = folder / "ready.json"
    process = start(section, settings, ready)
    try:
        deadline = time.monotonic() + GUARD_S
        while not ready.exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "it never became ready"
            time.sleep(0.02)
        address = json.loads(ready.read_text(encoding="utf-8"))["addresses"]["grpc"]
        with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
            yield process, channel
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=GUARD_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def is_healthy_and_listed(channel: grpc.Channel, service: str) -> None:
    """Fail unless the server answers for ``service`` by health and reflection, as any gRPC server should."""
    health = health_pb2_grpc.HealthStub(channel)
    for name in ("", service):
        answer = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=GUARD_S)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    (listed,) = reflection.ServerReflectionInfo(iter([request]), timeout=GUARD_S)
    assert service in {each.name for each in listed.list_services_response.service}


def refusal(section: str, folder: Path, *settings: str, code: int) -> tuple[str, str]:
    """What a service says, on standard output and standard error, that ends with ``code`` instead of starting."""
    process = start(section, settings, folder / "ready.json")
    output, errors = process.communicate(timeout=GUARD_S)
    assert process.returncode == code, (settings, output, errors)
    return output, errors
