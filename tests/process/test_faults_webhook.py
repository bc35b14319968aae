"""Rows 1 to 11 and 18 of the catalogue of faults, and those of 12, 16, 68, 69 that the webhook meets.

Each drives the real gateway process from outside, and ends with a call that must work.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.gateway_orchestrator import HANG_GUARD_S
from tests.fakes.gateway_process import ACCOUNT_SID, AUTH_TOKEN, GatewayProcess
from tests.fakes.gateway_world import GatewayWorld, fault, new_call_sid
from toolbox.phone import sign

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[2]


# ---------------------------------------------------------------------------------------------------- signatures


@fault
async def test_row_1_a_webhook_without_signature_is_forbidden(world: GatewayWorld) -> None:
    response = await world.post(world.url("/voice/webhook"), world.form(new_call_sid()), signature="")
    assert response.status_code == 403


@fault
async def test_row_1_resume_and_status_without_signature_are_forbidden(world: GatewayWorld) -> None:
    call_sid = new_call_sid()
    answer = await world.webhook(call_sid)
    for url in (answer.resume_url, world.url("/voice/status")):
        assert (await world.post(url, world.form(call_sid), signature="")).status_code == 403
    await world.hang_up(call_sid)


@fault
async def test_row_2_a_wrong_signature_is_forbidden(world: GatewayWorld) -> None:
    url, fields = world.url("/voice/webhook"), world.form(new_call_sid())
    for signature in ("nonsense", sign("another token", url, fields), sign(AUTH_TOKEN, url + "/", fields)):
        assert (await world.post(url, fields, signature=signature)).status_code == 403


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (("gateway.twilio.enabled=true", f"gateway.twilio.account_sid={ACCOUNT_SID}"), "gateway.twilio.auth_token"),
        (("gateway.twilio.enabled=true", "gateway.twilio.auth_token=x"), "gateway.twilio.account_sid"),
        (
            (
                "gateway.twilio.enabled=true",
                f"gateway.twilio.account_sid={ACCOUNT_SID}",
                "gateway.twilio.auth_token=x",
            ),
            "gateway.public_url",
        ),
    ],
)
def test_row_3_twilio_without_what_it_needs_keeps_the_gateway_from_starting(
    settings: tuple[str, ...], named: str
) -> None:
    command = [sys.executable, "-m", "gateway", "--check"]
    for setting in settings:
        command += ["--set", setting]
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}", "PATH": "/usr/bin:/bin"}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 2
    assert named in result.stderr


@fault
async def test_row_4_forwarded_headers_are_ignored(world: GatewayWorld) -> None:
    forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "Host": "evil.example"}
    fields = world.form(new_call_sid())
    # Signed for where the headers point to: not for us.
    signature = sign(AUTH_TOKEN, "https://evil.example/voice/webhook", fields)
    response = await world.post(world.url("/voice/webhook"), fields, signature=signature, headers=forged)
    assert response.status_code == 403
    # Signed for us: the headers change nothing of what is answered.
    call_sid = new_call_sid()
    response = await world.post(world.url("/voice/webhook"), world.form(call_sid), headers=forged)
    assert response.status_code == 200
    assert "evil" not in response.text
    await world.hang_up(call_sid)


@fault
async def test_row_5_signature_settings_of_another_algorithm_are_forbidden(world: GatewayWorld) -> None:
    for algorithm in ("HMAC_SHA256", "none", ""):
        response = await world.post(
            world.url("/voice/webhook"),
            world.form(new_call_sid()),
            headers={"X-Twilio-Webhooks-Signature-Settings": f"key=sk_1,algorithm={algorithm}"},
        )
        assert response.status_code == 403


@fault
async def test_row_6_a_changed_body_is_forbidden(world: GatewayWorld) -> None:
    url, fields = world.url("/voice/webhook"), world.form(new_call_sid())
    signature = sign(AUTH_TOKEN, url, fields)
    for changed in ({"From": "+15005550007"}, {"Extra": "1"}, {"To": ""}):
        tampered = {name: value for name, value in (fields | changed).items() if value}
        assert (await world.post(url, tampered, signature=signature)).status_code == 403


@fault
async def test_row_7_a_replayed_webhook_gets_the_same_answer_and_no_second_stream(world: GatewayWorld) -> None:
    call_sid = new_call_sid()
    first, second = await asyncio.gather(world.webhook(call_sid), world.webhook(call_sid))
    assert first == second
    assert await world.live_calls() == 1
    nth = len(world.orchestrator.conversations) + 1
    stream = await world.socket(first, call_sid)
    await stream.start(first.token)
    await world.orchestrator.conversation(nth)
    # A fresh idempotency token, which no signature covers, makes no difference either.
    replayed = await world.webhook(call_sid)
    assert replayed == first
    again = await world.socket(replayed, call_sid)
    await again.start(replayed.token)
    assert await again.close_code() == 1008
    assert len(world.orchestrator.conversations) == nth
    await stream.socket.close()
    await world.hang_up(call_sid)
    await world.no_calls()
    # Nor does it when the call is long over.
    assert await world.webhook(call_sid) == first


@fault
async def test_row_8_another_account_is_forbidden(world: GatewayWorld) -> None:
    fields = world.form(new_call_sid(), AccountSid="AC" + "1" * 32)
    assert (await world.post(world.url("/voice/webhook"), fields)).status_code == 403


# ------------------------------------------------------------------------------------------------------- bodies


@fault
async def test_row_9_a_large_body_is_refused_before_it_is_read(world: GatewayWorld) -> None:
    host, _, port = world.gateway.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"POST /voice/webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: 65537\r\n\r\n"
    )
    # Not one byte of the body was sent.
    async with asyncio.timeout(HANG_GUARD_S):
        assert b" 413 " in await reader.readline()
    writer.close()


@fault
async def test_row_9_a_large_body_of_unknown_length_is_cut_off(world: GatewayWorld) -> None:
    async def pieces() -> object:
        for _ in range(70):
            yield b"x" * 1024

    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    response = await world.http.post(world.url("/voice/webhook"), content=pieces(), headers=headers)  # type: ignore[arg-type]
    assert response.status_code == 413


@fault
async def test_row_10_another_content_type_is_refused(world: GatewayWorld) -> None:
    for content_type in ("application/json", "multipart/form-data; boundary=x", ""):
        response = await world.post(
            world.url("/voice/webhook"), world.form(new_call_sid()), headers={"Content-Type": content_type}
        )
        assert response.status_code == 415


@fault
async def test_row_11_a_webhook_without_call_is_a_bad_request(world: GatewayWorld) -> None:
    assert (await world.post(world.url("/voice/webhook"), world.form(""))).status_code == 400


@fault
async def test_row_11_a_form_of_a_thousand_fields_is_a_bad_request(world: GatewayWorld) -> None:
    fields = world.form(new_call_sid(), **{f"Field{number}": "1" for number in range(1000)})
    assert (await world.post(world.url("/voice/webhook"), fields)).status_code == 400


# -------------------------------------------------------------------------------------------------------- floods


def test_row_12_a_flood_of_calls_is_answered_busy() -> None:
    async def scenario(world: GatewayWorld) -> None:
        calls = [new_call_sid() for _ in range(20)]
        answers = await asyncio.gather(*(world.webhook(call_sid) for call_sid in calls))
        verbs = sorted(" ".join(answer.verbs) for answer in answers)
        assert verbs == ["Connect Redirect"] * 3 + ["Reject"] * 17
        busy = next(answer for answer in answers if answer.verbs == ["Reject"])
        assert 'reason="busy"' in busy.document
        for call_sid in calls:
            await world.hang_up(call_sid)
        await world.good_call()

    with GatewayWorld("gateway.max_calls=3") as world:
        world.run(scenario(world))


@fault
async def test_row_12_an_orchestrator_without_room_means_busy(world: GatewayWorld) -> None:
    world.orchestrator.room = False
    answer = await world.webhook(new_call_sid())
    assert answer.verbs == ["Reject"]
    assert await world.live_calls() == 0


@fault
async def test_row_16_status_reports_out_of_order_or_repeated_only_move_forward(world: GatewayWorld) -> None:
    stream, held = await world.stream()
    report = world.url("/voice/status")
    for status in ("in-progress", "ringing", "initiated", "no such status", "in-progress"):
        response = await world.post(report, world.form(stream.call_sid, CallStatus=status))
        assert response.status_code == 204
    await stream.media()
    await held.hears()
    for status in ("completed", "ringing", "completed"):
        assert (await world.post(report, world.form(stream.call_sid, CallStatus=status))).status_code == 204
    await held.expect("end")
    await world.no_calls()
    unknown = await world.post(report, world.form(new_call_sid(), CallStatus="completed"))
    assert unknown.status_code == 204


# -------------------------------------------------------------------------------------------------- slow clients

_SLOW = {
    "silent": b"",
    "half a header": b"POST /voice/webhook HTTP/1.1\r\nHost: exa",
    "half a body": b"POST /voice/webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 1000\r\n\r\nCallSid=",
    "half an upgrade": b"GET /voice/stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgr",
}


@pytest.mark.parametrize("kind", list(_SLOW))
def test_row_18_a_slow_client_is_cut_off(world: GatewayWorld, kind: str) -> None:
    async def scenario() -> None:
        host, _, port = world.gateway.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(_SLOW[kind])
        async with asyncio.timeout(HANG_GUARD_S):
            try:
                while await reader.read(1024):
                    pass
            except ConnectionResetError:
                pass
        writer.close()
        await world.good_call()

    world.run(scenario())


@fault
async def test_row_18_a_header_that_trickles_in_is_cut_off(world: GatewayWorld) -> None:
    host, _, port = world.gateway.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /voice/webhook HTTP/1.1\r\n")
    cut = asyncio.create_task(reader.read())
    async with asyncio.timeout(HANG_GUARD_S):
        while not cut.done():
            writer.write(b"X-A: b\r\n")
            await asyncio.wait({cut}, timeout=0.2)
    cut.exception()  # a reset will do as well as an end
    writer.close()


# ------------------------------------------------------------------------------------------------------- policy


@pytest.mark.parametrize(
    ("settings", "caller", "verbs"),
    [
        (("gateway.inbound.policy=disabled",), "+15005550006", ["Reject"]),
        (
            ("gateway.inbound.policy=allowlist", "gateway.inbound.allow=+15005550006"),
            "+15005550006",
            ["Connect", "Redirect"],
        ),
        (("gateway.inbound.policy=allowlist", "gateway.inbound.allow=+15005550006"), "+15005550007", ["Reject"]),
        (("gateway.inbound.policy=allowlist", "gateway.inbound.allow=+15005550006"), "anonymous", ["Reject"]),
    ],
)
def test_inbound_policy_decides_who_may_call(settings: tuple[str, ...], caller: str, verbs: list[str]) -> None:
    async def scenario(world: GatewayWorld) -> None:
        assert (await world.webhook(new_call_sid(), From=caller)).verbs == verbs

    with GatewayWorld(*settings) as world:
        world.run(scenario(world))


# ----------------------------------------------------------------------------------------------- life and its end


def test_row_68_sigterm_lets_live_calls_finish_and_takes_no_new_ones() -> None:
    async def scenario(world: GatewayWorld) -> None:
        async with world.call() as call:
            held = await world.talking(call)
            world.gateway.terminate()
            async with asyncio.timeout(HANG_GUARD_S):
                ready = await world.http.get(world.url("/readyz"))
                while ready.status_code == 200:
                    await asyncio.sleep(0.02)
                    ready = await world.http.get(world.url("/readyz"))
            assert ready.json()["ready"] is False
            refused = await world.webhook(new_call_sid())
            assert refused.verbs == ["Reject"]
            # The live call goes on as if nothing were the matter, to its own end.
            played = await held.playback_of(held.say(1, 0.4))
            assert played.status == played.STATUS_PLAYED
            held.control(after=1, hang_up={})
            assert await call.wait_ended() == "completed"
        assert await asyncio.to_thread(world.gateway.exit_code) == 0

    # The resume that answers <Hangup> must still be served after the last call has left its slot.
    with GatewayWorld("gateway.drain.timeout_s=20") as world:
        world.run(scenario(world))


def test_row_68_calls_that_outlast_the_drain_are_cut_off() -> None:
    async def scenario(world: GatewayWorld) -> None:
        stream, held = await world.stream()
        world.gateway.terminate()
        assert await stream.close_code() == 1012
        await held.expect("end")
        assert await asyncio.to_thread(world.gateway.exit_code) == 0

    with GatewayWorld("gateway.drain.timeout_s=0.5") as world:
        world.run(scenario(world))


def test_row_69_a_dead_collector_has_no_effect() -> None:
    settings = ("telemetry.traces_endpoint=127.0.0.1:9", "telemetry.metrics_endpoint=127.0.0.1:9")
    with GatewayWorld(*settings) as world:
        world.run(world.good_call())
        world.gateway.terminate()
        assert world.gateway.exit_code() == 0


def test_row_74_logs_hold_no_numbers_and_no_tokens() -> None:
    with GatewayWorld() as world:
        world.run(world.good_call())
        tokens = world.run(_refused_token(world))
        world.gateway.terminate()
        world.gateway.exit_code()
        log = world.gateway.log
        assert "call over" in log
        for line in log.splitlines():
            json.loads(line)
        for private in ("15005550", AUTH_TOKEN, *tokens):
            assert private not in log, private


async def _refused_token(world: GatewayWorld) -> list[str]:
    call_sid = new_call_sid()
    answer = await world.webhook(call_sid)
    stream = await world.socket(answer, call_sid)
    await stream.start(answer.token + "x")
    assert await stream.close_code() == 1008
    await world.hang_up(call_sid)
    return [answer.token, answer.resume_url.rpartition("/")[2], call_sid]


def test_the_ports_own_routes_answer() -> None:
    with GatewayProcess("127.0.0.1:1", twilio=False) as gateway, GatewayWorld() as world:

        async def scenario() -> None:
            assert (await world.http.get(gateway.base + "/healthz")).text == "ok"
            assert (await world.http.get(gateway.base + "/readyz")).status_code == 200
            # Twilio is off: its routes do not exist.
            assert (await world.http.post(gateway.base + "/voice/webhook")).status_code == 404

        world.run(scenario())
