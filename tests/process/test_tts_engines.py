"""`python -m tts_service` as a process: it starts alone, says what it is, speaks, drains, and names wrong settings."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from parley.tts.v1 import tts_pb2, tts_pb2_grpc
from servicekit.audio import MULAW_8K
from tests.models.kokoro import build_kokoro

pytestmark = pytest.mark.process

SERVICE = "parley.tts.v1.TextToSpeech"
GUARD_S = 60.0
"""A hang guard, never a measure."""

ROOT = Path(__file__).resolve().parents[2]


def start(arguments: Sequence[str], ready: Path) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "protos")])
    command = [sys.executable, "-m", "tts_service", "--set", "tts.listen=127.0.0.1:0", "--ready-file", str(ready)]
    return subprocess.Popen(
        [*command, *arguments],
        env=environment,
        cwd=ready.parent,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@contextmanager
def running(tmp_path: Path, *settings: str) -> Iterator[tuple[subprocess.Popen[str], grpc.Channel]]:
    """A service that is ready, and a channel to it; ended with SIGTERM."""
    ready = tmp_path / "ready.json"
    process = start([word for setting in settings for word in ("--set", setting)], ready)
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


def spoken(stub: tts_pb2_grpc.TextToSpeechStub, words: str) -> list[tts_pb2.SynthesizeResponse]:
    requests = [
        tts_pb2.SynthesizeRequest(config=tts_pb2.SynthesizeConfig(format=MULAW_8K)),
        tts_pb2.SynthesizeRequest(text=tts_pb2.Text(segment=1, text=words)),
        tts_pb2.SynthesizeRequest(finish=tts_pb2.Finish()),
    ]
    return list(stub.Synthesize(iter(requests), timeout=GUARD_S))


def test_the_embedded_voice_starts_alone_and_answers_everything(tmp_path: Path) -> None:
    with running(tmp_path, "tts.engine=espeak", "tts.capacity=3") as (process, channel):
        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", SERVICE):
            answer = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=GUARD_S)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING

        reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        (listed,) = reflection.ServerReflectionInfo(iter([request]), timeout=GUARD_S)
        assert SERVICE in {service.name for service in listed.list_services_response.service}

        stub = tts_pb2_grpc.TextToSpeechStub(channel)
        info = stub.GetInfo(tts_pb2.GetInfoRequest(), timeout=GUARD_S)
        assert (info.contract, info.engine, info.capacity) == ("parley.tts.v1", "espeak", 3)
        messages = spoken(stub, "It is noon.")
        assert messages[-1].finished.duration.ToMilliseconds() > 300

        process.send_signal(signal.SIGTERM)
        assert process.wait(GUARD_S) == 0


def test_it_loads_no_torch_for_the_embedded_voice(tmp_path: Path) -> None:
    with running(tmp_path, "tts.engine=espeak") as (process, channel):
        grpc.channel_ready_future(channel).result(GUARD_S)
        maps = Path(f"/proc/{process.pid}/maps")
        if maps.exists():
            loaded = maps.read_text(encoding="utf-8")
            assert "espeak" in loaded
            assert "libtorch" not in loaded


@pytest.mark.heavy
def test_kokoro_starts_from_files_and_speaks(tmp_path: Path) -> None:
    files = build_kokoro(tmp_path, ("af_heart",))
    with running(
        tmp_path,
        f"tts.kokoro.model={files.model}",
        f"tts.kokoro.config={files.config}",
        f"tts.kokoro.voices={files.voices}",
        "tts.kokoro.device=cpu",
    ) as (_, channel):
        stub = tts_pb2_grpc.TextToSpeechStub(channel)
        info = stub.GetInfo(tts_pb2.GetInfoRequest(), timeout=GUARD_S)
        assert (info.engine, info.default_voice) == ("kokoro", "af_heart")
        messages = spoken(stub, "It is noon.")
        assert messages[0].ready.engine == "kokoro"
        assert messages[-1].finished.duration.ToMilliseconds() > 100


WRONG = [
    ("tts.engine=festival", "tts.engine"),
    ("tts.capacity=-1", "tts.capacity"),
    ("tts.capacty=3", "tts.capacty"),
    ("tts.espeak.rate_wpm=5", "tts.espeak.rate_wpm"),
    ("tts.kokoro.device=tpu", "tts.kokoro.device"),
]


@pytest.mark.parametrize(("setting", "name"), WRONG)
def test_a_wrong_setting_stops_it_with_the_settings_name(setting: str, name: str, tmp_path: Path) -> None:
    process = start(["--set", setting], tmp_path / "ready.json")
    _, errors = process.communicate(timeout=GUARD_S)
    assert process.returncode == 2
    assert name in errors


UNSTARTABLE = [
    (["tts.engine=kokoro", "tts.kokoro.model=/nowhere/model.pth"], "tts.kokoro.model"),
    (["tts.engine=espeak", "tts.voice=nobody"], "tts.voice"),
    (["tts.engine=espeak", "tts.language=zu"], "tts.language"),
]


@pytest.mark.parametrize(("settings", "name"), UNSTARTABLE)
def test_what_it_cannot_load_stops_it_with_the_remedy(settings: list[str], name: str, tmp_path: Path) -> None:
    process = start([word for setting in settings for word in ("--set", setting)], tmp_path / "ready.json")
    output, errors = process.communicate(timeout=GUARD_S)
    assert process.returncode == 1
    assert name in output + errors
    assert "Traceback" not in output + errors
