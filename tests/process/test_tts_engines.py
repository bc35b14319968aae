"""`python -m tts_service` as a process: it starts alone, says what it is, speaks, drains, and names wrong settings."""

from __future__ import annotations

import signal
from pathlib import Path

import grpc
import pytest

from parley.tts.v1 import tts_pb2, tts_pb2_grpc
from servicekit.audio import MULAW_8K
from tests.models.kokoro import build_kokoro
from tests.process.service_alone import GUARD_S, is_healthy_and_listed, refusal, running

pytestmark = pytest.mark.process

SERVICE = "parley.tts.v1.TextToSpeech"


def spoken(stub: tts_pb2_grpc.TextToSpeechStub, words: str) -> list[tts_pb2.SynthesizeResponse]:
    requests = [
        tts_pb2.SynthesizeRequest(config=tts_pb2.SynthesizeConfig(format=MULAW_8K)),
        tts_pb2.SynthesizeRequest(text=tts_pb2.Text(segment=1, text=words)),
        tts_pb2.SynthesizeRequest(finish=tts_pb2.Finish()),
    ]
    return list(stub.Synthesize(iter(requests), timeout=GUARD_S))


def test_the_embedded_voice_starts_alone_and_answers_everything(tmp_path: Path) -> None:
    with running("tts", tmp_path, "tts.engine=espeak", "tts.capacity=3") as (process, channel):
        is_healthy_and_listed(channel, SERVICE)
        stub = tts_pb2_grpc.TextToSpeechStub(channel)
        info = stub.GetInfo(tts_pb2.GetInfoRequest(), timeout=GUARD_S)
        assert (info.contract, info.engine, info.capacity) == ("parley.tts.v1", "espeak", 3)
        messages = spoken(stub, "It is noon.")
        assert messages[-1].finished.duration.ToMilliseconds() > 300

        process.send_signal(signal.SIGTERM)
        assert process.wait(GUARD_S) == 0


def test_it_loads_no_torch_for_the_embedded_voice(tmp_path: Path) -> None:
    with running("tts", tmp_path, "tts.engine=espeak") as (process, channel):
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
        "tts",
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
    ("tts.openai.base_url=nowhere", "tts.openai.base_url"),
    ("tts.fallback.de=festival", "tts.fallback"),
]


@pytest.mark.parametrize(("setting", "name"), WRONG)
def test_a_wrong_setting_stops_it_with_the_settings_name(setting: str, name: str, tmp_path: Path) -> None:
    _, errors = refusal("tts", tmp_path, setting, code=2)
    assert name in errors


UNSTARTABLE = [
    (["tts.engine=kokoro", "tts.kokoro.model=/nowhere/model.pth"], "tts.kokoro.model"),
    (["tts.engine=espeak", "tts.voice=nobody"], "tts.voice"),
    (["tts.engine=espeak", "tts.language=zu"], "tts.language"),
    (["tts.engine=piper", "tts.piper.voices=/nowhere"], "tts.piper.voices"),
    (["tts.engine=openai", "tts.openai.base_url=http://127.0.0.1:1"], "tts.openai.base_url"),
    (["tts.engine=espeak", "tts.fallback.de=espeak"], "tts.fallback"),
]


@pytest.mark.parametrize(("settings", "name"), UNSTARTABLE)
def test_what_it_cannot_load_stops_it_with_the_remedy(settings: list[str], name: str, tmp_path: Path) -> None:
    said = "".join(refusal("tts", tmp_path, *settings, code=1))
    assert name in said
    assert "Traceback" not in said
