"""What the manifests say, as the deploy tests ask it."""

from __future__ import annotations

import functools
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SERVICES = ("gateway", "orchestrator", "stt", "tts")
MODULES = {"gateway": "gateway", "orchestrator": "orchestrator", "stt": "stt_service", "tts": "tts_service"}
BASES = tuple(f"k8s/base/{service}" for service in SERVICES)
EXAMPLE = "k8s/overlays/example"

Manifest = dict[str, Any]


@functools.cache
def rendered(folder: str) -> tuple[Manifest, ...]:
    """What `kubectl kustomize` makes of a folder."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl not installed")
    run = subprocess.run([kubectl, "kustomize", folder], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return tuple(document for document in yaml.safe_load_all(run.stdout) if document)


def of_kind(folder: str, kind: str) -> list[Manifest]:
    """The rendered objects of a kind."""
    return [manifest for manifest in rendered(folder) if manifest["kind"] == kind]


def only(folder: str, kind: str, name: str) -> Manifest:
    """The one object of a kind whose name is, or begins with (a hash follows), a name."""
    (found,) = [
        manifest
        for manifest in of_kind(folder, kind)
        if manifest["metadata"]["name"] == name or manifest["metadata"]["name"].startswith(f"{name}-")
    ]
    return found


def container(deployment: Manifest) -> Manifest:
    """A deployment's one container."""
    (one,) = deployment["spec"]["template"]["spec"]["containers"]
    found: Manifest = one
    return found
