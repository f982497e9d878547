"""Every metric that somebody reads is one that a server tells, and each of those is explained."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from chassis.metrics import REGISTRY
from tests.fakes import FakeModel
from tests.harness import ROOT, gateway_app, running
from tests.releases import CANARY_VERSION, released, service, until, value

METRIC = re.compile(r"\b(trilens_[a-z_]+[a-z])(\{[^}]*\})?")
GROUPING = re.compile(r"\b(?:by|on)\s*\(([a-z_, ]+)\)")
# What Prometheus adds to a pod's metrics (templates/podmonitors.yaml), and its own of a histogram.
ADDED = {"namespace", "pod", "app_kubernetes_io_instance", "le"}
READERS = [
    path
    for pattern in (
        "*.md",
        "docs/**/*.md",
        "k8s/*.*",
        "helm/**/templates/**/*.*",
        "rollout/**/*.py",
    )
    for path in sorted(ROOT.glob(pattern))
    if path.is_file() and METRIC.search(path.read_text("utf-8"))
]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The families that a gateway and its services tell, once each has counted something."""
    page = asyncio.run(_page(tmp_path_factory.mktemp("release")))
    return {family.name: family for family in text_string_to_metric_families(page)}


async def _page(folder: Path) -> str:
    async with AsyncExitStack() as stack:
        target = await stack.enter_async_context(service(FakeModel(version=CANARY_VERSION)))
        gateway = await stack.enter_async_context(released(folder))
        gateway.targets["objects"] = target
        await gateway.release(50, 100, canary={"objects": CANARY_VERSION})
        for number in range(20):
            await gateway.ask(f"user-{number}")
        await until(
            lambda: value("trilens_shadow_total", feature="objects", outcome="compared") > 0
        )
        await stack.enter_async_context(running(gateway_app({"detection": FakeModel()})))
        return generate_latest(REGISTRY).decode()


def labels(family: Any) -> set[str]:
    return {label for sample in family.samples for label in sample.labels} - {"le"}


def named(told: dict[str, Any], name: str) -> Any | None:
    """The family of that name, or the one that a sample of that name belongs to."""
    for family in told.values():
        endings = {
            "counter": ("_total",),
            "histogram": ("", "_count", "_sum", "_bucket"),
        }.get(family.type, ("",))
        if name in {family.name + ending for ending in endings}:
            return family
    return None


def chosen(selector: str) -> set[str]:
    """The labels in braces, whether with values or without."""
    inside = re.sub(r'"[^"]*"( or "[^"]*")*', "", selector.strip("{}"))
    return {found.group() for part in inside.split(",") if (found := re.search("[a-z_]+", part))}


@pytest.mark.parametrize("path", READERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_read_is_told(told: dict[str, Any], path: Path) -> None:
    for name, selector in METRIC.findall(path.read_text("utf-8")):
        family = named(told, name)
        assert family is not None, name
        assert chosen(selector) <= labels(family) | {"le"}, name + selector


def test_alerts_group_by_labels_that_are_there(told: dict[str, Any]) -> None:
    known = ADDED.union(*(labels(family) for family in told.values()))
    for rule in rules():
        grouped = ",".join(GROUPING.findall(rule["expr"]))
        assert {one.strip() for one in grouped.split(",")} <= known, rule["alert"]


def test_alerts_say_how_bad_it_is_and_speak_of_labels_that_they_have() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning")
        said = " ".join(rule["annotations"].values())
        kept = set(re.findall(r"[a-z_]+", rule["expr"]))
        assert set(re.findall(r"\$labels\.([a-z_]+)", said)) <= kept, rule["alert"]


def test_operators_are_told_where_to_look_for_each_alert() -> None:
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")

    assert set(re.findall(r"`(Trilens\w+)`", text)) == {rule["alert"] for rule in rules()}


def test_what_is_told_is_explained(told: dict[str, Any]) -> None:
    ours = {}
    for family in told.values():
        if not family.name.startswith(("process_", "python_info")):
            name = family.name + ("_total" if family.type == "counter" else "")
            ours[name] = (family.type, frozenset(labels(family)))

    assert dict(explained()) == ours


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((ROOT / "k8s" / "alerts.yaml").read_text("utf-8"))["groups"]
    return list(group["rules"])


def explained() -> Iterator[tuple[str, tuple[str, frozenset[str]]]]:
    """Each row of the table in docs/metrics.md."""
    for line in (ROOT / "docs" / "metrics.md").read_text("utf-8").splitlines():
        if line.startswith("| `trilens_"):
            name, kind, of, _ = (cell.strip() for cell in line.strip("| ").split("|", 3))
            yield name.strip("`"), (kind, frozenset(of.split(", ")) - {"-"})
