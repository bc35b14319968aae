"""`python -m stt_service` as a process: it starts alone, says what it is, listens, drains, and names wrong settings."""

from __future__ import annotations

import json
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from parley.stt.v1 import stt_pb2, stt_pb2_grpc
from tests.models.moonshine import build_moonshine
from tests.models.whisper import build_whisper
from tests.process.service_alone import GUARD_S, is_healthy_and_listed, refusal, running
from tests.unit.stt_service.loopback import FINISH, config, in_pieces, spoken

pytestmark = pytest.mark.process

SERVICE = "parley.stt.v1.SpeechToText"


def understood(stub: stt_pb2_grpc.SpeechToTextStub, words: str) -> stt_pb2.Final:
    requests = [config(), *in_pieces(spoken(words)), FINISH]
    *_, last = stub.Recognize(iter(requests), timeout=GUARD_S)
    return last.final


def test_pocketsphinx_starts_alone_and_answers_everything(tmp_path: Path) -> None:
    with running("stt", tmp_path, "stt.engine=pocketsphinx", "stt.capacity=3") as (process, channel):
        is_healthy_and_listed(channel, SERVICE)
        stub = stt_pb2_grpc.SpeechToTextStub(channel)
        info = stub.GetInfo(stt_pb2.GetInfoRequest(), timeout=GUARD_S)
        assert (info.contract, info.engine, info.capacity) == ("parley.stt.v1", "pocketsphinx", 3)
        assert understood(stub, "what time is it").text == "what time is it"

        process.send_signal(signal.SIGTERM)
        assert process.wait(GUARD_S) == 0


@pytest.mark.heavy
def test_auto_says_in_one_line_which_engine_listens_and_how_to_change_it(tmp_path: Path) -> None:
    with running("stt", tmp_path) as (process, channel):
        info = stt_pb2_grpc.SpeechToTextStub(channel).GetInfo(stt_pb2.GetInfoRequest(), timeout=GUARD_S)
        assert info.engine == "embedded"
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=GUARD_S)
    (line,) = (line for line in (output + errors).splitlines() if "several hundred words only" in line)
    assert "parley models pull whisper-base" in line
    assert "stt.whisper.model" in line
    assert "stt.engine" in line


@pytest.mark.heavy
def test_faster_whisper_starts_from_a_folder_and_listens(tmp_path: Path) -> None:
    model = build_whisper(tmp_path / "models" / "whisper" / "base")
    # Its weights are random: what it hears is gibberish, which the gates against inventions would drop.
    gates = ("stt.whisper.log_prob_threshold=-100", "stt.whisper.compression_ratio_threshold=1000")
    with running("stt", tmp_path, f"stt.whisper.model_dir={model.parent}", "stt.whisper.device=cpu", *gates) as (
        _,
        channel,
    ):
        stub = stt_pb2_grpc.SpeechToTextStub(channel)
        info = stub.GetInfo(stt_pb2.GetInfoRequest(), timeout=GUARD_S)
        assert (info.engine, info.model) == ("faster-whisper", "base")
        final = understood(stub, "what time is it")
        assert final.text
        assert final.language == "en"


def test_a_transcription_server_is_listened_with_and_named_when_it_is_not_there(tmp_path: Path) -> None:
    class Server(BaseHTTPRequestHandler):
        """A fake server that hears how much it was sent."""

        def do_GET(self) -> None:
            self._send({"data": [{"id": "only-one"}]})

        def do_POST(self) -> None:
            size = len(self.rfile.read(int(self.headers["content-length"])))
            self._send({"text": f"heard {size // 10_000}"})

        def _send(self, answer: object) -> None:
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    where = f"stt.openai.base_url=http://127.0.0.1:{server.server_address[1]}"
    try:
        with running("stt", tmp_path, "stt.engine=openai", where) as (_, channel):
            stub = stt_pb2_grpc.SpeechToTextStub(channel)
            info = stub.GetInfo(stt_pb2.GetInfoRequest(), timeout=GUARD_S)
            assert (info.engine, info.partials) == ("openai", False)
            assert info.model.startswith("only-one at 127.0.0.1:")
            assert int(understood(stub, "what time is it").text.removeprefix("heard ")) > 2
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert "stt.openai.base_url" in "".join(refusal("stt", tmp_path, "stt.engine=openai", where, code=1))


@pytest.mark.heavy
def test_moonshine_starts_from_a_folder_and_listens(tmp_path: Path) -> None:
    model = build_moonshine(tmp_path / "models" / "moonshine" / "tiny")
    where = (f"stt.moonshine.model_dir={model.parent}", "stt.moonshine.workers=1", "stt.capacity=1")
    with running("stt", tmp_path, "stt.engine=moonshine", *where) as (_, channel):
        stub = stt_pb2_grpc.SpeechToTextStub(channel)
        info = stub.GetInfo(stt_pb2.GetInfoRequest(), timeout=GUARD_S)
        assert (info.engine, info.model, info.capacity) == ("moonshine", "streaming tiny", 1)
        assert understood(stub, "what time is it").text


WRONG = [
    ("stt.engine=vosk", "stt.engine"),
    ("stt.openai.base_url=nowhere", "stt.openai.base_url"),
    ("stt.moonshine.workers=-1", "stt.moonshine.workers"),
    ("stt.capacity=-1", "stt.capacity"),
    ("stt.capacty=3", "stt.capacty"),
    ("stt.max_utterance_s=0", "stt.max_utterance_s"),
    ("stt.whisper.device=tpu", "stt.whisper.device"),
    ("stt.pocketsphinx.rejection=2", "stt.pocketsphinx.rejection"),
]


@pytest.mark.parametrize(("setting", "name"), WRONG)
def test_a_wrong_setting_stops_it_with_the_settings_name(setting: str, name: str, tmp_path: Path) -> None:
    _, errors = refusal("stt", tmp_path, setting, code=2)
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
        (["stt.engine=faster-whisper", f"stt.whisper.model_dir={empty}"], "parley models pull whisper-base"),
        (["stt.engine=moonshine", f"stt.moonshine.model={empty}"], "frontend.model.ort"),
        # Files that are there and broken are an error even for `auto`, never a reason to fall back in silence.
        ([f"stt.whisper.model={corrupt}", "stt.whisper.device=cpu"], "stt.whisper.model"),
        (["stt.engine=pocketsphinx", f"stt.pocketsphinx.grammar={empty / 'x.gram'}"], "stt.pocketsphinx.grammar"),
    ]
    for settings, name in unstartable:
        said = "".join(refusal("stt", tmp_path, *settings, code=1))
        assert name in said
        assert "Traceback" not in said
