"""compose.yaml is what the services themselves accept, and exposes the gateway alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.rendering import MODULES, ROOT, SERVICES
from tests.deploy.service_settings import loaded

_COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
# What a user must set; everything else has a default in the file.
_SHELL = {"PARLEY_PUBLIC_URL": "https://voice.example.org", "TWILIO_ACCOUNT_SID": "AC" + "0" * 32}
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")

each_service = pytest.mark.parametrize("service", SERVICES)


def filled(text: str) -> str:
    """Interpolate as Compose does: `${NAME:-default}` and `${NAME:?message}`."""

    def value(match: re.Match[str]) -> str:
        set_by_user = _SHELL.get(match["name"], "")
        if match["kind"] == "?":
            assert set_by_user, f"{match['name']} must be set: {match['rest']}"
        return set_by_user or (match["rest"] if match["kind"] == "-" else "")

    return _VARIABLE.sub(value, text)


def environment_of(service: str) -> dict[str, str]:
    return {name: filled(str(value)) for name, value in _COMPOSE["services"][service]["environment"].items()}


@each_service
def test_the_settings_of_each_service_are_valid(service: str, tmp_path: Path) -> None:
    settings = loaded(
        service, tmp_path, environment=environment_of(service), secrets=("/run/secrets/twilio_auth_token",)
    )
    assert settings.telemetry.traces_endpoint == "jaeger:4317"
    grace = _COMPOSE["services"][service]["stop_grace_period"]
    assert settings.service.drain.notice_s + settings.service.drain.timeout_s < float(grace.removesuffix("s"))


def test_targets_name_services_of_the_file_on_the_ports_they_listen_on(tmp_path: Path) -> None:
    listens = {
        service: loaded(
            service, tmp_path, environment=environment_of(service), secrets=("/run/secrets/twilio_auth_token",)
        ).service.listen
        for service in SERVICES
    }
    targets = [
        (name, value.removeprefix("dns:///"))
        for service in SERVICES
        for name, value in environment_of(service).items()
        if name.endswith("__TARGET")
    ]
    assert len(targets) == 3
    for name, target in targets:
        host, _, port = target.partition(":")
        assert listens[host] == f"0.0.0.0:{port}", name


def test_only_the_gateway_listens_beyond_this_machine() -> None:
    for service, definition in _COMPOSE["services"].items():
        for port in definition.get("ports", []):
            assert service == "gateway" or port.startswith("127.0.0.1:"), f"{service}: {port}"


@pytest.mark.parametrize("service", list(_COMPOSE["services"]))
def test_containers_can_write_nothing_and_gain_nothing(service: str) -> None:
    definition = _COMPOSE["services"][service]
    assert definition["read_only"] is True
    assert definition["security_opt"] == ["no-new-privileges:true"]
    assert definition["cap_drop"] == ["ALL"]
    assert "privileged" not in definition


@pytest.mark.parametrize("service", list(_COMPOSE["services"]))
def test_images_are_pinned(service: str) -> None:
    tag = _COMPOSE["services"][service]["image"].rpartition("/")[2].partition(":")[2]
    assert tag
    assert tag != "latest"


@each_service
def test_each_service_is_built_from_its_own_dockerfile(service: str) -> None:
    build = _COMPOSE["services"][service]["build"]
    assert build["dockerfile"] == f"{MODULES[service]}/Dockerfile"
    assert (ROOT / build["context"] / build["dockerfile"]).is_file()


def test_dependencies_wait_for_health_that_somebody_checks() -> None:
    for definition in _COMPOSE["services"].values():
        for name, condition in definition.get("depends_on", {}).items():
            assert condition == {"condition": "service_healthy"}
            assert "HEALTHCHECK" in (ROOT / MODULES[name] / "Dockerfile").read_text(encoding="utf-8")


def test_secrets_are_files_outside_the_repository() -> None:
    for secret in _COMPOSE["secrets"].values():
        assert set(secret) == {"file"}
        assert not (ROOT / secret["file"]).exists()
