"""`parley voices`: what a service has is told, and what it says is kept or played."""

from __future__ import annotations

import asyncio
import json
import stat
import subprocess
import sys
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from parley.tts.v1 import tts_pb2_grpc
from servicekit.server import DrainSettings, GrpcServer, Slots
from servicekit.telemetry import Telemetry
from tests.asyncs import async_test
from tests.fakes.tts_service_engine import FakeEngine
from tests.unit.toolbox.test_cli import environment
from toolbox.voices import find_player, list_voices, play, say
from toolbox.voices.asking import AskingError
from toolbox.voices.player import wav_of
from tts_service.cache import SegmentCache
from tts_service.espeak.engine import EspeakEngine
from tts_service.service import SERVICE_NAME, TextToSpeech
from tts_service.settings import TtsSettings
from tts_service.speaking import Speaking
from tts_service.speech import Engine
from tts_service.standing_in import EngineWithStandIns


@contextmanager
def running(make: type[EspeakEngine] | None = None) -> Iterator[str]:
    """A service in a thread of its own, so that commands can ask it; its address."""
    address, stop = "", Event()
    ready = Event()

    async def serve() -> None:
        nonlocal address
        engine: Engine = (
            EspeakEngine(TtsSettings())
            if make is not None
            else EngineWithStandIns(FakeEngine(), {"espeak": EspeakEngine(TtsSettings())}, {"fr": "espeak"})
        )
        telemetry = Telemetry("parley-tts")
        server = GrpcServer(
            listen="127.0.0.1:0", telemetry=telemetry, drain=DrainSettings(timeout_s=5), services=[SERVICE_NAME]
        )
        slots = Slots(4)
        settings = TtsSettings()
        speaking = Speaking(engine, settings, SegmentCache(settings.cache, telemetry, disk=None))
        servicer = TextToSpeech(speaking, settings, server=server, slots=slots, telemetry=telemetry)
        tts_pb2_grpc.add_TextToSpeechServicer_to_server(servicer, server.grpc)
        address = await server.start()
        server.set_serving()
        ready.set()
        await asyncio.to_thread(stop.wait)
        await server.drain(slots=slots)
        await engine.close()

    thread = Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(30)
        yield address
    finally:
        stop.set()
        thread.join()


def test_voices_are_told_with_language_gender_and_engine() -> None:
    @async_test
    async def scenario() -> None:
        with running() as address:
            engine, voices = await list_voices(address)
            _, french = await list_voices(address, "fr")
        assert engine == "fake"
        assert [(one.name, one.engine, one.is_default) for one in voices[:2]] == [
            ("one", "fake", True),
            ("zwei", "fake", False),
        ]
        assert (french[0].engine, french[0].gender) == ("espeak", "male")

    scenario()


def test_what_is_said_can_be_kept() -> None:
    @async_test
    async def scenario() -> None:
        with running(EspeakEngine) as address:
            sample = await say(address, "Guten Tag.", language="de")
            with pytest.raises(AskingError, match="no voice named"):
                await say(address, "x", voice="nobody")
            with pytest.raises(AskingError, match="pronounced"):
                await say(address, "…")
        assert (sample.voice, sample.engine, sample.rate_hz) == ("de", "espeak", 24_000)
        assert 0.5 < sample.seconds < 2
        assert sample.first_audio_ms > 0

    scenario()


@async_test
async def test_a_service_that_is_not_there_is_named() -> None:
    with pytest.raises(AskingError, match="is a speech service running there"):
        await list_voices("127.0.0.1:1")


def script(folder: Path, name: str, body: str) -> Path:
    """A program of one's own in a folder."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_the_first_player_that_is_installed_is_used(tmp_path: Path) -> None:
    assert find_player(lambda _: None) is None
    found = find_player({"aplay": "/bin/aplay", "ffplay": "/bin/ffplay"}.get)
    assert found is not None
    assert list(found) == ["/bin/aplay", "-q"]
    kept = tmp_path / "kept.wav"
    sample = tmp_path / "sample.wav"
    sample.write_bytes(wav_of(b"\0\0" * 100, 8000))
    assert play([str(script(tmp_path, "aplay", f'cp "$1" {kept}'))], sample) == ""
    with wave.open(str(kept)) as file:
        assert (file.getframerate(), file.getnframes()) == (8000, 100)
    assert play([str(script(tmp_path, "broken", "echo no sound card >&2; exit 1"))], sample).endswith("no sound card")


def parley(*arguments: str, cwd: Path, path: str = "") -> subprocess.CompletedProcess[str]:
    env = environment() | ({"PATH": path} if path else {})
    return subprocess.run(
        [sys.executable, "-m", "toolbox.cli", "voices", *arguments],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


@pytest.mark.process
def test_the_command_starts_a_service_for_the_question_and_keeps_what_it_says(tmp_path: Path) -> None:
    out = tmp_path / "noon.wav"
    done = parley("say", "It is noon.", "--out", str(out), "--set", "tts.engine=espeak", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["engine"], report["wav"], report["played_with"]) == ("espeak", str(out), None)
    with wave.open(str(out)) as file:
        assert file.getnframes() / file.getframerate() == pytest.approx(report["seconds"], abs=0.01)


@pytest.mark.process
def test_the_command_asks_a_running_service(tmp_path: Path) -> None:
    with running() as address:
        listed = json.loads(parley("--target", address, "--language", "fr", "--json", cwd=tmp_path).stdout)
        assert listed["voices"][0]["engine"] == "espeak"
        shown = parley("--target", address, "--language", "de", cwd=tmp_path)
        assert "zwei" in shown.stdout
        nobody = parley("--target", address, "--language", "es", cwd=tmp_path)
        assert (nobody.returncode, "tts.fallback" in nobody.stderr) == (1, True)
        both = parley("--target", address, "--set", "tts.engine=espeak", cwd=tmp_path)
        assert (both.returncode, "--target" in both.stderr) == (2, True)
        silent = parley("say", "hi", "--target", address, cwd=tmp_path, path=str(tmp_path))
        assert (silent.returncode, "--out" in silent.stderr) == (2, True)
        script(tmp_path, "aplay", "exit 0")
        played = parley("say", "hi", "--target", address, "--json", cwd=tmp_path, path=f"{tmp_path}:/bin:/usr/bin")
        assert json.loads(played.stdout)["played_with"] == "aplay"
