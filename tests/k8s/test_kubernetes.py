"""The manifests as they are applied: valid, confined, and true to the code."""

import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from producers.config import CONFIG_FOLDER, load_schedule
from producers.connectors import CONNECTORS
from producers.errors import (
    EXIT_ALREADY_RUNNING,
    EXIT_CONFIGURATION,
    EXIT_SERVICE,
    EXIT_SOURCE,
)
from streams.commands.rights import roles
from streams.core.rejection_limits import RejectionLimits
from streams.engine.process import EXIT_SECONDS
from streams.settings import PROJECT_ROOT, Settings
from streams.topics import PARTITIONS
from tests.k8s.programs import K8S, PRODUCT_IMAGE, Service, assert_commands_exist, settings_names
from tests.k8s.test_compose import own_services

pytestmark = pytest.mark.kustomize

Manifest = Mapping[str, Any]

VERSION = "1.32"
"""Of Kubernetes; the oldest that a supported cluster has."""

OF_OPERATORS = {"PrometheusRule", "ServiceMonitor", "ScaledObject"}
"""Kinds that are no part of Kubernetes."""

POLL_GRACE = timedelta(minutes=15)
CLAIMED = {"state"}
"""Volumes that a StatefulSet claims for each of its pods."""
SECRETS = {"infrastructure-services", "infrastructure-postgres", "infrastructure-sources"}
OF_PEOPLE = {"auditor", "operator", "rebuilder", "administrator"}
"""Roles whose commands people run."""


@pytest.fixture(scope="module")
def render(kustomize_build: list[str]) -> Callable[[str], list[Manifest]]:
    def rendered(overlay: str) -> list[Manifest]:
        built = subprocess.run(
            [*kustomize_build, str(K8S / "overlays" / overlay)],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert built.returncode == 0, built.stderr
        return [*yaml.safe_load_all(built.stdout)]

    return rendered


@pytest.fixture(scope="module")
def production(render: Callable[[str], list[Manifest]]) -> list[Manifest]:
    return render("production")


def of_kind(manifests: list[Manifest], *kinds: str) -> dict[str, Manifest]:
    return {one["metadata"]["name"]: one for one in manifests if one["kind"] in kinds}


def pods(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Every pod that some manifest makes, by the manifest's name."""
    for one in manifests:
        match one["kind"]:
            case "Deployment" | "StatefulSet" | "Job":
                yield one["metadata"]["name"], one["spec"]["template"]
            case "CronJob":
                template = one["spec"]["jobTemplate"]["spec"]["template"]
                yield one["metadata"]["name"], template


def containers(pod: Manifest) -> list[Manifest]:
    return [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]


def configured(manifests: list[Manifest]) -> dict[str, str]:
    """Variables that every process gets."""
    (found,) = (
        one["data"]
        for name, one in of_kind(manifests, "ConfigMap").items()
        if name.startswith("environment-")
    )
    return dict(found)


def services(manifests: list[Manifest], tmp_path: Path) -> Iterator[Service]:
    """Every container as a process, with what is mounted where it lies on this machine."""
    here = {
        "CONFIG_PATH": str(CONFIG_FOLDER),
        "TOLERANCES_FILE": str(PROJECT_ROOT / "streams" / "tolerances.yaml"),
        "DATA_DIR": str(tmp_path),
    }
    for name, pod in pods(manifests):
        for container in containers(pod):
            command = (*container["command"], *container.get("args", ()))
            yield Service(f"{name}/{container['name']}", command, configured(manifests) | here)


@pytest.mark.parametrize("overlay", ["production", "scaling"])
def test_kubernetes_takes_every_manifest(
    render: Callable[[str], list[Manifest]], overlay: str
) -> None:
    import kubernetes_validate  # here: it takes a second, whichever tests are chosen

    manifests = render(overlay)
    for one in manifests:
        if one["kind"] not in OF_OPERATORS:
            kubernetes_validate.validate(one, VERSION, strict=True)
    names = [(one["kind"], one["metadata"]["name"]) for one in manifests]
    assert len(names) == len(set(names))
    assert {
        one["metadata"].get("namespace") for one in manifests if one["kind"] != "Namespace"
    } == {"infrastructure"}


def test_no_process_has_more_rights_than_it_needs(production: list[Manifest]) -> None:
    (namespace,) = of_kind(production, "Namespace").values()
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    accounts = of_kind(production, "ServiceAccount")
    assert not of_kind(production, "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")
    assert not any(account["automountServiceAccountToken"] for account in accounts.values())
    for name, pod in pods(production):
        spec = pod["spec"]
        assert spec["serviceAccountName"] in accounts, name
        assert spec["automountServiceAccountToken"] is False, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), name
        assert not any("hostPath" in volume for volume in spec["volumes"]), name
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in containers(pod):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["readOnlyRootFilesystem"] is True, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            assert "privileged" not in context, name
            assert set(container["resources"]["limits"]) == {"cpu", "memory"}, name
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}, name


def test_the_image_is_that_of_this_version_and_runs_as_the_user_it_has(
    production: list[Manifest],
) -> None:
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    dockerfile = (K8S / "Dockerfile").read_text(encoding="utf-8")
    for name, pod in pods(production):
        user = pod["spec"]["securityContext"]["runAsUser"]
        assert f"\nUSER {user}\n" in dockerfile, name
        for container in containers(pod):
            image, _, tag = container["image"].rpartition(":")
            assert image.rpartition("/")[2] == PRODUCT_IMAGE
            assert tag == project["project"]["version"], name


def test_processes_are_ours_and_their_variables_settings(
    production: list[Manifest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [*services(production, tmp_path)]
    assert len(found) == len(CONNECTORS) + 5
    for service in found:
        if service.command[0] == "faust":
            # That it starts is shown for the compose file.
            assert service.command in {one.command for one in own_services()}
        else:
            assert_commands_exist(service)
    named = {
        one["name"]
        for _, pod in pods(production)
        for c in containers(pod)
        for one in c.get("env", ())
    }
    environment = configured(production)
    assert set(environment) | named <= settings_names()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.rejection_limits() == RejectionLimits(0.5, 1000, 500)


def test_no_secret_is_in_a_manifest(production: list[Manifest]) -> None:
    assert not of_kind(production, "Secret")
    for _, pod in pods(production):
        for container in containers(pod):
            for variable in container.get("env", ()):
                assert "value" not in variable
                assert variable["valueFrom"]["secretKeyRef"]["name"] in SECRETS
    assert not {"POSTGRES_DSN", "CLICKHOUSE_DSN", "API_KEYS"} & set(configured(production))
    assert not [name for name in configured(production) if name.endswith("_KEY")]


def test_each_process_may_show_kafka_the_user_of_its_role(production: list[Manifest]) -> None:
    """A cluster without users needs no secret; one with them has a secret for each role."""
    users = {}
    for name, pod in pods(production):
        (authorities,) = [one for one in pod["spec"]["volumes"] if one["name"] == "ca"]
        assert authorities["configMap"] == {"name": "services-ca", "optional": True}
        for container in containers(pod):
            (secret,) = [one["secretRef"] for one in container["envFrom"] if "secretRef" in one]
            assert secret["optional"]
            assert any(one["name"] == "ca" for one in container["volumeMounts"])
            users[name] = secret["name"].removeprefix("infrastructure-kafka-")
    assert {*users.values()} == {role.name for role in roles(Settings(), CONNECTORS)} - OF_PEOPLE
    assert all(user == name for name, user in users.items())


def test_each_process_that_needs_postgresql_is_its_own_user_there(
    production: list[Manifest],
) -> None:
    """One user for all would have the rights of all."""
    users = {}
    for name, pod in pods(production):
        for container in containers(pod):
            for variable in container.get("env", ()):
                if variable["name"] == "POSTGRES_DSN":
                    users[name] = variable["valueFrom"]["secretKeyRef"]
    needed = {role.name for role in roles(Settings(), CONNECTORS) if role.tables} - OF_PEOPLE
    assert users == {name: {"name": "infrastructure-postgres", "key": name} for name in needed}


def test_configuration_is_that_of_a_laptop_and_mounted_where_it_is_looked_for(
    production: list[Manifest],
) -> None:
    maps = of_kind(production, "ConfigMap")
    files = {
        name: content
        for key, one in maps.items()
        if not key.startswith(("environment-", "dashboard-"))
        for name, content in one["data"].items()
    }
    assert set(files) == {*(f"{name}.yaml" for name in CONNECTORS), "tolerances.yaml"}
    for name, content in files.items():
        folder = PROJECT_ROOT / "streams" if name == "tolerances.yaml" else CONFIG_FOLDER
        assert content == (folder / name).read_text(encoding="utf-8")
    environment = configured(production)
    for name, pod in pods(production):
        volumes = {one["name"]: one for one in pod["spec"]["volumes"]}
        for container in containers(pod):
            mounts = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
            assert set(mounts.values()) <= set(volumes) | CLAIMED, name
            assert "/tmp" in mounts, name
            is_producer = container["command"][-1] == "producers"
            needed = "CONFIG_PATH" if is_producer else "TOLERANCES_FILE"
            mounted = environment[needed].removesuffix("/tolerances.yaml")
            source = volumes[mounts[mounted]]["configMap"]["name"]
            assert source in maps, name


def test_every_source_is_polled_as_often_as_its_configuration_says(
    production: list[Manifest],
) -> None:
    jobs = of_kind(production, "CronJob")
    polled = {}
    for job in jobs.values():
        spec = job["spec"]
        run = spec["jobTemplate"]["spec"]
        (container,) = run["template"]["spec"]["containers"]
        (source,) = container["args"]
        polled[source] = _interval(spec["schedule"])
        assert spec["concurrencyPolicy"] == "Forbid"
        assert timedelta(seconds=spec["startingDeadlineSeconds"]) < POLL_GRACE
        assert timedelta(seconds=run["activeDeadlineSeconds"]) < polled[source]
        assert {"successfulJobsHistoryLimit", "failedJobsHistoryLimit"} <= set(spec)
        assert run["template"]["spec"]["restartPolicy"] == "Never", "a failure policy needs it"
    assert polled == {name: load_schedule(name, {}) for name in CONNECTORS}


def _interval(schedule: str) -> timedelta:
    """Time between two runs of the forms of schedule that are used; a month has 30 days."""
    if found := re.fullmatch(r"\d+ \*/(\d+) \* \* \*", schedule):
        return timedelta(hours=int(found[1]))
    if re.fullmatch(r"\d+ \d+ \* \* [0-6]", schedule):
        return timedelta(days=7)
    assert re.fullmatch(r"\d+ \d+ \d+ \* \*", schedule), schedule
    return timedelta(days=30)


def test_exit_codes_decide_what_is_tried_again(production: list[Manifest]) -> None:
    for job in of_kind(production, "CronJob").values():
        run = job["spec"]["jobTemplate"]["spec"]
        decided = {
            code: rule["action"]
            for rule in run["podFailurePolicy"]["rules"]
            for code in rule.get("onExitCodes", {}).get("values", ())
        }
        assert decided == {
            EXIT_CONFIGURATION: "FailJob",
            EXIT_ALREADY_RUNNING: "FailJob",
            EXIT_SOURCE: "Count",
            EXIT_SERVICE: "Count",
        }


def test_workers_have_the_time_to_end_and_ports_and_probes_are_theirs(
    production: list[Manifest],
) -> None:
    environment = configured(production)
    ports = {"pipeline": "WORKER_PORT", "sink": "SINK_PORT", "api": "API_PORT"}
    workers = of_kind(production, "Deployment", "StatefulSet")
    assert set(workers) == set(ports)
    addresses = of_kind(production, "Service")
    budgets = of_kind(production, "PodDisruptionBudget")
    for name, worker in workers.items():
        template = worker["spec"]["template"]
        (container,) = template["spec"]["containers"]
        assert template["spec"]["terminationGracePeriodSeconds"] > EXIT_SECONDS
        assert template["spec"]["topologySpreadConstraints"]
        (port,) = container["ports"]
        assert str(port["containerPort"]) == environment[ports[name]]
        (served,) = addresses[name]["spec"]["ports"]
        assert (served["port"], served["targetPort"]) == (port["containerPort"], port["name"])
        assert container["livenessProbe"]["httpGet"] == {"path": "/live", "port": port["name"]}
        assert container["readinessProbe"]["httpGet"] == {"path": "/ready", "port": port["name"]}
        assert container["readinessProbe"]["timeoutSeconds"] > 2, "the page takes up to 2 s"
        labels = template["metadata"]["labels"]
        for selector in (
            addresses[name]["spec"]["selector"],
            budgets[name]["spec"]["selector"]["matchLabels"],
            worker["spec"]["selector"]["matchLabels"],
        ):
            assert selector.items() <= labels.items()
    assert environment["WORKER_URL"] == f"http://pipeline:{environment['WORKER_PORT']}"
    (claim,) = workers["pipeline"]["spec"]["volumeClaimTemplates"]
    (container,) = workers["pipeline"]["spec"]["template"]["spec"]["containers"]
    mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    assert mounts[claim["metadata"]["name"]] == environment["DATA_DIR"]


def test_what_no_policy_allows_is_refused_and_every_process_reaches_its_services(
    production: list[Manifest],
) -> None:
    policies = of_kind(production, "NetworkPolicy")
    closed = policies["nothing-else"]["spec"]
    assert set(closed["policyTypes"]) == {"Ingress", "Egress"}
    assert not {"ingress", "egress"} & set(closed)
    environment = configured(production)
    allowed = {
        str(port["port"])
        for rule in policies["services"]["spec"]["egress"]
        for port in rule["ports"]
    }
    broker = environment["KAFKA_BOOTSTRAP"].rpartition(":")[2]
    registry = re.search(r":(\d+)/", environment["SCHEMA_REGISTRY_URL"])
    assert registry is not None
    assert {broker, registry[1]} <= allowed
    (who,) = policies["services"]["spec"]["podSelector"]["matchExpressions"]
    components = {
        pod["metadata"]["labels"]["app.kubernetes.io/component"] for _, pod in pods(production)
    }
    assert set(who["values"]) == components


def test_there_are_never_more_workers_than_partitions(
    render: Callable[[str], list[Manifest]],
) -> None:
    manifests = render("scaling")
    (scaled,) = of_kind(manifests, "ScaledObject").values()
    workers = of_kind(manifests, "StatefulSet")
    assert scaled["spec"]["scaleTargetRef"]["name"] in workers
    assert scaled["spec"]["maxReplicaCount"] == PARTITIONS
    (trigger,) = scaled["spec"]["triggers"]
    assert trigger["metadata"]["consumerGroup"] == Settings().app_id
    assert trigger["metadata"]["bootstrapServers"] == configured(manifests)["KAFKA_BOOTSTRAP"]


def test_prometheus_scrapes_every_worker_in_time(production: list[Manifest]) -> None:
    (monitor,) = of_kind(production, "ServiceMonitor").values()
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["path"] == "/metrics"
    assert int(endpoint["scrapeTimeout"].removesuffix("s")) > 2
    (which,) = monitor["spec"]["selector"]["matchExpressions"]
    assert set(which["values"]) == set(of_kind(production, "Deployment", "StatefulSet"))
    for service in of_kind(production, "Service").values():
        assert service["metadata"]["labels"][which["key"]] in which["values"]
        assert {port["name"] for port in service["spec"]["ports"]} == {endpoint["port"]}
