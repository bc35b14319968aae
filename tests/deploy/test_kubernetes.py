"""The manifests render, pass the API's own schema, and keep what reviewers look for."""

from __future__ import annotations

from pathlib import Path

import kubernetes_validate
import pytest

from tests.deploy.rendering import BASES, EXAMPLE, SERVICES, Manifest, container, of_kind, only, rendered
from tests.deploy.service_settings import loaded

# Kinds that the API server does not know by itself; the validator cannot check these, so they are listed.
CUSTOM_RESOURCES = {("gateway.networking.k8s.io/v1", "HTTPRoute")}
# preStop.sleep is stable since then.
KUBERNETES = "1.34"
# Time for a service to stop after its drain.
_STOP_S = 10
_SECRETS = ("/run/secrets/parley/twilio_auth_token", "/run/secrets/parley/brain_api_key")

each_folder = pytest.mark.parametrize("folder", [*BASES, EXAMPLE])
each_service = pytest.mark.parametrize("service", SERVICES)


@each_folder
def test_every_object_passes_the_strict_schema_and_custom_ones_are_listed(folder: str) -> None:
    assert rendered(folder)
    custom = set()
    for manifest in rendered(folder):
        try:
            kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
        except kubernetes_validate.SchemaNotFoundError:
            custom.add((manifest["apiVersion"], manifest["kind"]))
    assert custom <= CUSTOM_RESOURCES


def test_the_validator_refuses_a_misspelt_field() -> None:
    wrong = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "x"}, "automountToken": False}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES, strict=True)


@each_folder
def test_images_are_pinned(folder: str) -> None:
    for deployment in of_kind(folder, "Deployment"):
        image = container(deployment)["image"]
        tag = image.rpartition("/")[2].partition(":")[2]
        assert tag, f"{image} has no tag"
        assert tag != "latest"


@each_folder
def test_pods_keep_the_restricted_standard(folder: str) -> None:
    for deployment in of_kind(folder, "Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        inner = container(deployment)["securityContext"]
        assert inner["allowPrivilegeEscalation"] is False
        assert inner["readOnlyRootFilesystem"] is True
        assert inner["capabilities"] == {"drop": ["ALL"]}


@each_folder
def test_pods_hold_no_token_of_the_cluster(folder: str) -> None:
    for account in of_kind(folder, "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False
    for deployment in of_kind(folder, "Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        names = {account["metadata"]["name"] for account in of_kind(folder, "ServiceAccount")}
        assert pod["serviceAccountName"] in names


@each_folder
def test_liveness_readiness_and_startup_ask_differently(folder: str) -> None:
    for deployment in of_kind(folder, "Deployment"):
        probes = [container(deployment)[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")]
        assert all(probes[one] != probes[other] for one, other in ((0, 1), (0, 2), (1, 2)))
        # A draining pod is not ready and must live on: liveness is the more patient of the two.
        _, readiness, liveness = probes
        patience = [probe["periodSeconds"] * probe["failureThreshold"] for probe in (readiness, liveness)]
        assert patience[0] < patience[1]


@each_service
def test_probes_ask_the_service_itself_on_its_port(service: str) -> None:
    deployment = only(f"k8s/base/{service}", "Deployment", f"parley-{service}")
    (port,) = container(deployment)["ports"]
    for kind in ("startup", "readiness", "liveness"):
        probe = container(deployment)[f"{kind}Probe"]
        if service == "gateway":
            assert probe["httpGet"]["port"] == port["name"]
        else:
            assert probe["grpc"]["port"] == port["containerPort"]


@each_service
def test_settings_load_and_the_drain_fits_the_grace_period(service: str, tmp_path: Path) -> None:
    for folder in (f"k8s/base/{service}", EXAMPLE):
        pod = only(folder, "Deployment", f"parley-{service}")["spec"]["template"]["spec"]
        toml = only(folder, "ConfigMap", f"parley-{service}")["data"]["parley.toml"]
        settings = loaded(service, tmp_path, toml=toml, secrets=_SECRETS).service
        one = pod["containers"][0]
        assert settings.listen == f"0.0.0.0:{one['ports'][0]['containerPort']}"
        pre_stop = one.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        needed = pre_stop + settings.drain.notice_s + settings.drain.timeout_s + _STOP_S
        assert needed <= pod["terminationGracePeriodSeconds"]


@each_service
def test_the_pod_reads_the_rendered_settings_whose_name_changes_with_them(service: str) -> None:
    for folder in (f"k8s/base/{service}", EXAMPLE):
        deployment = only(folder, "Deployment", f"parley-{service}")
        volumes = {volume["name"]: volume for volume in deployment["spec"]["template"]["spec"]["volumes"]}
        name = volumes["settings"]["configMap"]["name"]
        assert name == only(folder, "ConfigMap", f"parley-{service}")["metadata"]["name"]
        assert name != f"parley-{service}", "the name holds no hash: changed settings would not roll the pods"
        mounts = {mount["name"]: mount["mountPath"] for mount in container(deployment)["volumeMounts"]}
        environment = {variable["name"]: variable.get("value") for variable in container(deployment)["env"]}
        assert environment["PARLEY_CONFIG"] == f"{mounts['settings']}/parley.toml"
        assert set(mounts) == set(volumes)


def test_settings_of_different_content_have_different_names() -> None:
    base = only("k8s/base/gateway", "ConfigMap", "parley-gateway")
    example = only(EXAMPLE, "ConfigMap", "parley-gateway")
    assert base["data"] != example["data"]
    assert base["metadata"]["name"] != example["metadata"]["name"]


@each_folder
def test_secrets_come_as_files_and_none_is_in_the_repository(folder: str) -> None:
    assert not of_kind(folder, "Secret")
    for deployment in of_kind(folder, "Deployment"):
        assert all("secretKeyRef" not in variable.get("valueFrom", {}) for variable in container(deployment)["env"])
        assert not any("secretRef" in source for source in container(deployment).get("envFrom", []))


@each_service
def test_services_are_headless_and_select_their_pods(service: str) -> None:
    manifest = only(f"k8s/base/{service}", "Service", f"parley-{service}")
    deployment = only(f"k8s/base/{service}", "Deployment", f"parley-{service}")
    assert manifest["spec"]["clusterIP"] == "None"
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert manifest["spec"]["selector"].items() <= labels.items()
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    (port,) = manifest["spec"]["ports"]
    assert port["targetPort"] == container(deployment)["ports"][0]["name"]


@each_service
def test_policies_name_every_direction_and_allow_dns(service: str) -> None:
    policy = only(f"k8s/base/{service}", "NetworkPolicy", f"parley-{service}")["spec"]
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert all(rule.get("from") for rule in policy["ingress"])
    assert all(rule.get("to") for rule in policy["egress"])
    assert any(
        {(port["port"], port["protocol"]) for port in rule.get("ports", [])} == {(53, "UDP"), (53, "TCP")}
        for rule in policy["egress"]
    )


@pytest.mark.parametrize(
    ("client", "server", "port"),
    [("gateway", "orchestrator", 50051), ("orchestrator", "stt", 50052), ("orchestrator", "tts", 50053)],
)
def test_both_ends_of_every_hop_are_allowed_to_talk(client: str, server: str, port: int, tmp_path: Path) -> None:
    def allows(rules: list[Manifest], side: str, peer: str) -> bool:
        return any(
            one.get("podSelector", {}).get("matchLabels", {}).get("app.kubernetes.io/name") == f"parley-{peer}"
            and {"port": port, "protocol": "TCP"} in rule["ports"]
            for rule in rules
            for one in rule[side]
        )

    out = only(EXAMPLE, "NetworkPolicy", f"parley-{client}")["spec"]
    into = only(EXAMPLE, "NetworkPolicy", f"parley-{server}")["spec"]
    assert allows(out["egress"], "to", server)
    assert allows(into["ingress"], "from", client)
    toml = only(EXAMPLE, "ConfigMap", f"parley-{client}")["data"]["parley.toml"]
    settings = loaded(client, tmp_path, toml=toml, secrets=_SECRETS).service
    assert getattr(settings, server).target == f"dns:///parley-{server}:{port}"


def test_only_what_runs_more_than_once_has_a_disruption_budget() -> None:
    replicas = {
        deployment["metadata"]["name"]: deployment["spec"]["replicas"] for deployment in of_kind(EXAMPLE, "Deployment")
    }
    budgets = {budget["metadata"]["name"] for budget in of_kind(EXAMPLE, "PodDisruptionBudget")}
    assert budgets == {name for name, count in replicas.items() if count > 1}


@each_folder
def test_every_container_asks_for_what_it_needs(folder: str) -> None:
    for deployment in of_kind(folder, "Deployment"):
        resources = container(deployment)["resources"]
        assert set(resources["requests"]) == {"cpu", "memory"}
        assert "memory" in resources["limits"]


def test_the_namespace_enforces_the_restricted_standard() -> None:
    (namespace,) = of_kind(EXAMPLE, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert all(
        manifest["metadata"].get("namespace") == "parley"
        for manifest in rendered(EXAMPLE)
        if manifest["kind"] != "Namespace"
    )
