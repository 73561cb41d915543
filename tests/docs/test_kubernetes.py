"""The manifests of docs/kubernetes.md agree with the image, the settings and the routes."""

import re
import shlex
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from quickthumb.config import SETTINGS, Config
from quickthumb.sandbox.renderer import RESERVE_BYTES
from quickthumb.service.shutdown import GRACEFUL_SECONDS
from quickthumb.web.middleware.hosts import Hosts
from quickthumb.web.routes import ENDPOINTS
from tests.conftest import CHECKOUT

PAGE = (CHECKOUT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
MANIFESTS = list(yaml.safe_load_all(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0]))
DOCKERFILE = (CHECKOUT / "Dockerfile").read_text(encoding="utf-8")
PODS = {
    each["metadata"]["name"]: each["spec"]["template"]["spec"] for each in MANIFESTS if each["kind"] == "Deployment"
}
UNITS = {"Mi": 2**20, "Gi": 2**30}


def container(name: str) -> dict[str, Any]:
    (only,) = PODS[name]["containers"]
    return dict(only)


@pytest.mark.parametrize("name", PODS)
def test_a_pod_runs_the_image_as_it_was_built(name: str) -> None:
    user, group = re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)[0]
    security = PODS[name]["securityContext"]
    assert (security["runAsUser"], security["runAsGroup"], security["fsGroup"]) == (int(user), int(group), int(group))
    mounts = {mount["mountPath"] for mount in container(name)["volumeMounts"]}
    assert mounts == {re.findall(r"QUICKTHUMB_DATA_DIR=(\S+)", DOCKERFILE)[0], "/tmp"}  # noqa: S108
    assert PODS[name]["enableServiceLinks"] is False
    for variable in container(name)["env"]:
        assert variable["name"].removeprefix("QUICKTHUMB_").lower() in SETTINGS


def test_the_probes_ask_for_what_is_there() -> None:
    web = container("quickthumb-web")
    paths = {endpoint.path for endpoint in ENDPOINTS}
    ports = {port["containerPort"] for port in web["ports"]}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert web[probe]["httpGet"]["path"] in paths
        assert web[probe]["httpGet"]["port"] in ports
    (service,) = (each["spec"] for each in MANIFESTS if each["kind"] == "Service")
    assert service["selector"] == {"app": "quickthumb-web"}
    assert {port["targetPort"] for port in service["ports"]} == ports


def test_the_service_answers_to_its_names_and_to_the_probes() -> None:
    (allowed,) = (
        each["value"] for each in container("quickthumb-web")["env"] if each["name"] == "QUICKTHUMB_ALLOWED_HOSTS"
    )
    hosts = Hosts.of(Config.of(allowed_hosts=allowed).web.allowed_hosts, listens_on="0.0.0.0", needs_keys=False)  # noqa: S104
    (service,) = (each["metadata"]["name"] for each in MANIFESTS if each["kind"] == "Service")
    names = [service, *(f"{service}.default{rest}" for rest in ("", ".svc", ".svc.cluster.local"))]
    for host in (*names, "10.1.2.3:8000", "[fd00::7]:8000"):
        assert hosts.admits(host), host
    for name in names[1:3]:
        assert f"`{name}`" in PAGE
    assert not hosts.admits("evil.test")


def test_there_is_time_to_stop() -> None:
    web = container("quickthumb-web")
    pause = int(web["lifecycle"]["preStop"]["exec"]["command"][1])
    assert PODS["quickthumb-web"]["terminationGracePeriodSeconds"] > pause + GRACEFUL_SECONDS
    assert PODS["quickthumb-worker"]["terminationGracePeriodSeconds"] > Config().worker.shutdown_grace_seconds


def test_the_memory_suffices() -> None:
    worker = container("quickthumb-worker")
    (threads,) = (int(each["value"]) for each in worker["env"] if each["name"] == "QUICKTHUMB_WORKER_THREADS")
    limit = worker["resources"]["limits"]["memory"]
    sandbox = Config().sandbox
    needed = sandbox.decode_budget_bytes + RESERVE_BYTES + threads * sandbox.quarantine_memory_bytes
    assert int(limit[:-2]) * UNITS[limit[-2:]] > needed


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl")
def test_the_secret_is_the_one_that_the_pods_read() -> None:
    (command,) = re.findall(r"^\$ (kubectl .+)$", PAGE, re.MULTILINE)
    words = [*shlex.split(command), "--dry-run=client", "--output", "yaml"]
    secret = yaml.safe_load(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    for name in PODS:
        url = container(name)["env"][0]["valueFrom"]["secretKeyRef"]
        assert secret["metadata"]["name"] == url["name"]
        assert url["key"] in secret["data"]
