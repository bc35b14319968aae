"""`python -m stt_service` as a process: it starts alone, says what it is, listens, drains, and names wrong settings."""

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

from parley.stt.v1 import stt_pb2, stt_pb2_grpc
from tests.models.whisper import build_whisper
from tests.unit.stt_service.loopback import FINISH, config, in_pieces, spoken

pytestmark = pytest.mark.process

SERVICE = "parley.stt.v1.SpeechToText"
GUARD_S = 60.0
"""A hang guard, never a measure."""

ROOT = Path(__file__).resolve().parents[2]


def start(arguments: Sequence[str], ready: Path) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "protos")])
    command = [sys.executable, "-m", "stt_service", "--set", "stt.listen=127.0.0.1:0", "--ready-file", str(ready)]
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


def understood(stub: stt_pb2_grpc.SpeechToTextStub, words: str) -> stt_pb2.Final:
    requests = [config(), *in_pieces(spoken(words)), FINISH]
    *_, last = stub.Recognize(iter(requests), timeout=GUARD_S)
    return last.final


def test_the_embedded_recogniser_starts_alone_and_answers_everything(tmp_path: Path) -> None:
    with running(tmp_path, "stt.engine=pocketsphinx", "stt.capacity=3") as (process, channel):
        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", SERVICE):
            answer = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=GUARD_S)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING

        reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        (listed,) = reflection.ServerReflectionInfo(iter([request]), timeout=GUARD_S)
        assert SERVICE in {service.name for service in listed.list_services_response.service}

        stub = stt_pb2_grpc.SpeechToTextStub(channel)
        info = stub.GetInfo(stt_pb2.GetInfoRequest(), timeout=GUARD_S)
        assert (info.contract, info.engine, info.capacity) == ("parley.stt.v1", "pocketsphinx", 3)
        assert understood(stub, "what time is it").text == "what time is it"

        process.send_signal(signal.SIGTERM)
        assert process.wait(GUARD_S) == 0


def test_auto_says_in_one_line_which_engine_listens_and_how_to_change_it(tmp_path: Path) -> None:
    with running(tmp_path) as (process, channel):
        info = stt_pb2_grpc.SpeechToTextStub(channel).GetInfo(stt_pb2.GetInfoRequest(), timeout=GUARD_S)
        assert info.engine == "pocketsphinx"
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=GUARD_S)
    (line,) = (line for line in (output + errors).splitlines() if "demo's sentences only" in line)
    assert "stt.whisper.model" in line
    assert "stt.engine" in line


@pytest.mark.heavy
def test_faster_whisper_starts_from_a_folder_and_listens(tmp_path: Path) -> None:
    model = build_whisper(tmp_path / "models" / "whisper" / "base")
    # Its weights are random: what it hears is gibberish, which the gates against inventions would drop.
    gates = ("stt.whisper.log_prob_threshold=-100", "stt.whisper.compression_ratio_threshold=1000")
    with running(tmp_path, f"stt.whisper.model_dir={model.parent}", "stt.whisper.device=cpu", *gates) as (_, channel):
        stub = stt_pb2_grpc.SpeechToTextStub(channel)
        info = stub.GetInfo(stt_pb2.GetInfoRequest(), timeout=GUARD_S)
        assert (info.engine, info.model) == ("faster-whisper", "base")
        final = understood(stub, "what time is it")
        assert final.text
        assert final.language == "en"


WRONG = [
    ("stt.engine=vosk", "stt.engine"),
    ("stt.capacity=-1", "stt.capacity"),
    ("stt.capacty=3", "stt.capacty"),
    ("stt.max_utterance_s=0", "stt.max_utterance_s"),
    ("stt.whisper.device=tpu", "stt.whisper.device"),
    ("stt.pocketsphinx.rejection=2", "stt.pocketsphinx.rejection"),
]


@pytest.mark.parametrize(("setting", "name"), WRONG)
def test_a_wrong_setting_stops_it_with_the_settings_name(setting: str, name: str, tmp_path: Path) -> None:
    process = start(["--set", setting], tmp_path / "ready.json")
    _, errors = process.communicate(timeout=GUARD_S)
    assert process.returncode == 2
    assert name in errors


def _corrupt(folder: Path) -> None:
    build_whisper(folder)
    weights = folder / "model.bin"
    weights.write_bytes(weights.read_bytes()[:100_000])


def test_what_it_cannot_load_stops_it_with_the_remedy(tmp_path: Path) -> None:
    corrupt, empty = tmp_path / "corrupt", tmp_path / "empty"
    _corrupt(corrupt)
    empty.mkdir()
    unstartable = [
        (["stt.engine=faster-whisper", f"stt.whisper.model={tmp_path / 'nowhere'}"], "stt.whisper.model"),
        (["stt.engine=faster-whisper", f"stt.whisper.model={empty}"], "tokenizer.json"),
        # Files that are there and broken are an error even for `auto`, never a reason to fall back in silence.
        ([f"stt.whisper.model={corrupt}", "stt.whisper.device=cpu"], "stt.whisper.model"),
        (["stt.engine=pocketsphinx", f"stt.pocketsphinx.grammar={empty / 'x.gram'}"], "stt.pocketsphinx.grammar"),
    ]
    for settings, name in unstartable:
        process = start([word for setting in settings for word in ("--set", setting)], tmp_path / "ready.json")
        output, errors = process.communicate(timeout=GUARD_S)
        assert process.returncode == 1, settings
        assert name in output + errors
        assert "Traceback" not in output + errors
