"""The results of one run: facts of the machine, versions and all records, as one JSON file."""

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from benchmarks.environments import PEERS
from benchmarks.measures.bench import Record
from benchmarks.processes import CORES
from quickthumb.devredis.binary import find_server

HERE = Path(__file__).parent
FOLDER = HERE / "results"
OWN = ("quickthumb", "pillow", "arq", "redis", "starlette", "uvicorn", "uvloop", "aiofiles")
OF_PEERS = ("fastapi", "uvicorn", "celery", "rq", "arq", "redis", "pillow", "thumbor")


@dataclass(slots=True)
class Results:
    """One run. `skipped` says which stacks were left out, and why."""

    began: str
    options: dict[str, Any]
    machine: dict[str, Any]
    versions: dict[str, dict[str, str]]
    skipped: dict[str, str] = field(default_factory=dict)
    records: dict[str, list[Record]] = field(default_factory=dict)
    ended: str = ""

    def save(self, path: Path) -> None:
        """Writes the file: one record per line, so that differences can be read."""
        self.ended = moment()
        head = {name: value for name, value in asdict(self).items() if name != "records"}
        lines = json.dumps(head, indent=1, ensure_ascii=False)[:-2] + ',\n "records": {'
        groups = [
            f"\n  {json.dumps(name)}: [\n   " + ",\n   ".join(map(json.dumps, records)) + "\n  ]"
            for name, records in self.records.items()
        ]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(lines + ",".join(groups) + "\n }\n}\n")


def load(path: Path) -> Results:
    """Reads a file that `save` wrote."""
    return Results(**json.loads(path.read_text()))


def started(options: dict[str, Any]) -> Results:
    """Results without records yet."""
    return Results(moment(), options, machine(), versions())


def moment() -> str:
    """The time now, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def machine() -> dict[str, Any]:
    """What the figures depend on and no version tells."""
    return {
        "processor": _processor(),
        "cores": CORES,
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "file_system": _file_system(),
        "load_at_start": round(os.getloadavg()[0], 2),
    }


def versions() -> dict[str, dict[str, str]]:
    """The versions of what was compared."""
    own = {name: version(name) for name in OWN}
    found = {"quickthumb": {"python": platform.python_version(), "commit": _commit(), **own}}
    for requirements in sorted(PEERS.glob("*/requirements.txt")):
        pinned = dict(line.split("==") for line in requirements.read_text().split() if "==" in line)
        found[requirements.parent.name] = {name: pinned[name] for name in OF_PEERS if name in pinned}
    found["redis"] = {"server": str(find_server().release)}
    return found


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return next((line.split(":")[1].strip() for line in lines if "model name" in line), platform.processor())


def _file_system() -> str:
    """The type of the file system that the checkout, and so the data of all stacks, is on."""
    places = [place for place in psutil.disk_partitions(all=True) if HERE.is_relative_to(place.mountpoint)]
    return max(places, key=lambda place: len(place.mountpoint)).fstype if places else "unknown"


def _commit() -> str:
    words: Sequence[str] = ["git", "-C", str(HERE), "describe", "--always", "--dirty"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
