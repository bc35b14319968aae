"""Each image holds one service's extra, runs without rights, and says whether it is well."""

from __future__ import annotations

import json
import re
import shlex
import tomllib

import pytest

from tests.deploy.rendering import MODULES, ROOT, SERVICES

_EXTRAS: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "optional-dependencies"
]
each_service = pytest.mark.parametrize("service", SERVICES)


def stages(service: str) -> list[list[tuple[str, str]]]:
    """Instructions of each stage of a service's Dockerfile, continued lines joined."""
    text = (ROOT / MODULES[service] / "Dockerfile").read_text(encoding="utf-8")
    found: list[list[tuple[str, str]]] = []
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        instruction, _, rest = line.partition(" ")
        if instruction == "FROM":
            found.append([])
        found[-1].append((instruction, rest.strip()))
    return found


def values(stage: list[tuple[str, str]], instruction: str) -> list[str]:
    return [rest for name, rest in stage if name == instruction]


def environment(stage: list[tuple[str, str]]) -> dict[str, str]:
    return dict(pair.split("=", 1) for line in values(stage, "ENV") for pair in shlex.split(line))


@each_service
def test_every_stage_is_the_same_pinned_slim_python(service: str) -> None:
    images = [values(stage, "FROM")[0].split()[0] for stage in stages(service)]
    assert len(images) == 2
    assert len(set(images)) == 1
    assert re.fullmatch(r"python:3\.12-slim-\w+", images[0])


@each_service
def test_only_the_services_own_extra_is_installed(service: str) -> None:
    build = stages(service)[0]
    (install,) = [line for line in values(build, "RUN") if "pip install" in line]
    extra = re.search(r'install "\.\[(.+?)\]"', install)
    assert extra is not None
    arguments = dict(line.split("=", 1) for line in values(build, "ARG") if "=" in line)
    name = re.sub(r"\$\{(\w+)\}", lambda match: arguments[match[1]], extra[1])
    assert name == service
    assert name in _EXTRAS


@each_service
def test_the_image_that_runs_installs_nothing_and_is_not_root(service: str) -> None:
    final = stages(service)[-1]
    assert not any(word in line for line in values(final, "RUN") for word in ("pip", "apt", "apk", "curl"))
    assert values(final, "USER") == ["10001:10001"]
    assert environment(final)["HF_HUB_OFFLINE"] == "1"


@each_service
def test_the_image_runs_its_service_on_the_port_it_exposes_and_checks(service: str) -> None:
    final = stages(service)[-1]
    (entry,) = values(final, "ENTRYPOINT")
    assert json.loads(entry) == ["python", "-m", MODULES[service]]
    (port,) = values(final, "EXPOSE")
    assert environment(final)[f"PARLEY_{service.upper()}__LISTEN"] == f"0.0.0.0:{port}"
    (check,) = values(final, "HEALTHCHECK")
    command = json.loads(check.partition(" CMD ")[2])
    compile(command[2], "healthcheck", "exec")
    assert f"127.0.0.1:{port}" in command[2]


def test_everything_the_build_needs_is_let_into_its_context() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]
    assert ignored[1] == "*"
    assert {path.partition("/")[0] for path in packages["wheel"]["packages"]} <= let_in
    assert {"pyproject.toml", "README.md"} <= let_in
