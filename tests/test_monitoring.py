"""The example alerts and the Grafana dashboard in `deploy/`: they are well-formed, and ask for metrics that exist."""

import json
import re
import shutil
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from prometheus_client.parser import text_string_to_metric_families

from quickthumb.metrics import JobNumbers, WebMetrics
from quickthumb.model.job import Status
from quickthumb.queue.totals import durations
from tests.conftest import CHECKOUT

ALERTS = CHECKOUT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD = CHECKOUT / "deploy" / "grafana" / "quickthumb.json"
PROMTOOL = shutil.which("promtool")
GRID_WIDTH = 24

RULE = {
    "type": "object",
    "required": ["alert", "expr", "for", "labels", "annotations"],
    "additionalProperties": False,
    "properties": {
        "alert": {"type": "string", "pattern": "^QuickThumb[A-Za-z]+$"},
        "expr": {"type": "string"},
        "for": {"type": "string", "pattern": "^[0-9]+[smh]$"},
        "labels": {
            "type": "object",
            "properties": {"severity": {"enum": ["warning", "critical"]}},
            "required": ["severity"],
        },
        "annotations": {
            "type": "object",
            "required": ["summary", "action"],
            "additionalProperties": {"type": "string", "pattern": r"\.$"},
        },
    },
}
GROUP = {
    "type": "object",
    "required": ["name", "rules"],
    "additionalProperties": False,
    "properties": {"name": {"type": "string"}, "rules": {"type": "array", "items": RULE, "minItems": 1}},
}
RULES_FILE = {
    "type": "object",
    "required": ["groups"],
    "additionalProperties": False,
    "properties": {"groups": {"type": "array", "items": GROUP, "minItems": 1}},
}
PANEL = {
    "type": "object",
    "required": ["id", "type", "title", "description", "datasource", "gridPos", "targets"],
    "properties": {
        "targets": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "object", "required": ["expr", "legendFormat", "refId", "datasource"]},
        }
    },
}


@pytest.fixture(scope="module")
def alerts() -> list[dict[str, Any]]:
    loaded = yaml.safe_load(ALERTS.read_text())
    Draft202012Validator(RULES_FILE).validate(loaded)
    return [rule for group in loaded["groups"] for rule in group["rules"]]


@pytest.fixture(scope="module")
def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    for panel in found:
        Draft202012Validator(PANEL).validate(panel)
    return found


@pytest.fixture(scope="module")
def queries(alerts: list[dict[str, Any]], panels: list[dict[str, Any]]) -> list[str]:
    shown = [target["expr"] for panel in panels for target in panel["targets"]]
    return [rule["expr"] for rule in alerts] + [query.replace("$__rate_interval", "5m") for query in shown]


@pytest.fixture(scope="module")
def exposed() -> dict[str, set[str]]:
    """Every metric that /metrics shows, with the names of its labels."""
    web = WebMetrics()
    web.answered("GET", "/jobs", 200, 0.1)
    per_status = {status.value: 1 for status in Status}
    empty = durations({}, "wait")
    numbers = JobNumbers(per_status, 0, 0.0, 1, per_status, 1.0, {}, empty, empty)
    text = web.exposition(numbers, 0.01).decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {sample.name: set(sample.labels) for sample in samples}


def test_every_query_asks_for_metrics_that_exist(queries: list[str], exposed: dict[str, set[str]]) -> None:
    for query in queries:
        names = re.findall(r"quickthumb_\w+", query)
        assert names, query
        for name in names:
            assert name in exposed, f"{name} in {query}"
        for labels in re.findall(r"\{([^}]*)\}|by \(([^)]*)\)", query):
            asked = set(re.findall(r"(\w+)(?==|!|,|$|\s)", re.sub(r'"[^"]*"', "", ",".join(filter(None, labels)))))
            assert asked <= {*exposed[names[0]], "instance"}, f"{asked} in {query}"


def test_the_names_follow_prometheus_rules(exposed: dict[str, set[str]]) -> None:
    units = ("_seconds", "_bytes", "_total", "_bucket", "_sum", "_count", "_created", "_up")
    plain = {"quickthumb_jobs", "quickthumb_queue_length", "quickthumb_webhook_backlog", "quickthumb_workers"}
    assert {name for name in exposed if not name.endswith(units)} == plain
    assert all(re.fullmatch(r"quickthumb_[a-z_]+[a-z]", name) for name in exposed)


def test_panels_do_not_overlap(panels: list[dict[str, Any]]) -> None:
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    assert all(place["x"] + place["w"] <= GRID_WIDTH for place in places)
    for one, other in combinations(places, 2):
        apart_x = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        apart_y = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert apart_x or apart_y


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
def test_prometheus_accepts_every_query(queries: list[str], tmp_path: Path) -> None:
    recorded = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    (tmp_path / "queries.yml").write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": recorded}]}))
    for rules in (ALERTS, tmp_path / "queries.yml"):
        words = [str(PROMTOOL), "check", "rules", "--lint=all", "--lint-fatal", str(rules)]
        checked = subprocess.run(words, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
def test_prometheus_accepts_the_metrics() -> None:
    web = WebMetrics()
    web.answered("GET", "/jobs", 200, 0.1)
    empty = durations({}, "wait")
    text = web.exposition(JobNumbers({}, 0, 0.0, 1, {}, 1.0, {}, empty, empty), 0.01)
    checked = subprocess.run([str(PROMTOOL), "check", "metrics"], input=text, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
