"""The chart as others take it: as a subchart, twice in a namespace, by its documents."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.chart import table
from tests.chart.rendering import CHART, render

STUCK = "lets no node with them be drained (none of so few replicas may be away): "


def test_it_works_below_a_parent_that_switches_it_on_and_shares_its_globals(tmp_path: Path):
    shutil.copytree(CHART, tmp_path / "charts" / "trilens")
    (tmp_path / "Chart.yaml").write_text(
        "{apiVersion: v2, name: shop, version: 1.0.0, dependencies: "
        "[{name: trilens, version: 0.1.0, condition: trilens.enabled}]}"
    )
    values = {
        "global": {
            "imageRegistry": "mirror.example",
            "imagePullSecrets": [{"name": "login"}],
            "x": 1,
        },
        "trilens": {"enabled": True, "models": {"captioner": None}},
    }

    rendered = render(values, name="shop", chart=tmp_path)

    pod = rendered.pod("shop-trilens-detector")
    assert pod["imagePullSecrets"] == [{"name": "login"}]
    assert rendered.server("shop-trilens-detector")["image"].startswith("mirror.example/")
    assert "shop-trilens-captioner" not in rendered.of("Deployment")
    assert not render({"trilens": {"enabled": False}}, name="shop", chart=tmp_path).objects


def test_two_releases_in_one_namespace_share_no_object_and_select_no_pod_of_the_other():
    one, other = (render(name=name) for name in ("trilens", "trilens-2"))

    def names(rendered: Any) -> set[tuple[str, str]]:
        return {(thing["kind"], thing["metadata"]["name"]) for thing in rendered.objects}

    assert not names(one) & names(other)
    selector = one.one("Service", "trilens-detector")["spec"]["selector"]
    labels = other.deployment("trilens-2-detector")["template"]["metadata"]["labels"]
    assert not selector.items() <= labels.items()


def test_names_that_yaml_would_take_for_something_else_stay_names():
    on = {"feature": "on", "task": "detection", "version": "1.0.0"}
    scaling = {"mode": "keda", "max": 2, "keda": {"trigger": "gateway"}}
    values = {"models": {"on": {**on, "scaling": scaling}}}

    rendered = render(values, name="off", more=["--namespace=2024"])

    labels = rendered.one("Service", "off-trilens-on")["metadata"]["labels"]
    assert labels["app.kubernetes.io/instance"] == "off"
    assert labels["app.kubernetes.io/component"] == "on"
    (trigger,) = rendered.one("ScaledObject", "off-trilens-on")["spec"]["triggers"]
    assert trigger["metadata"]["feature"] == "on"
    (subject,) = rendered.one("RoleBinding", "off-trilens-gateway")["subjects"]
    assert subject["namespace"] == "2024"
    assert {one["metadata"]["namespace"] for one in rendered.objects} == {"2024"}


def test_the_table_of_values_is_todays():
    assert table.current(), "make it so: python -m local.chart table"


def test_every_value_has_a_sentence():
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))

    def silent(node: Any, path: str) -> Iterator[str]:
        for name, one in node.get("properties", {}).items():
            if isinstance(one, dict) and "$ref" not in one and "then" not in path:
                if "description" not in one:
                    yield f"{path}.{name}"
                yield from silent(one, f"{path}.{name}")

    blocks = [schema, *schema["definitions"].values()]
    assert [path for block in blocks for path in silent(block, "")] == []
    assert [name for name, one in schema["definitions"].items() if "description" not in one] == []


def test_notes_name_what_to_call_and_what_may_surprise():
    values = {
        "models": {
            "detector": {
                "accelerator": {"kind": "whole"},
                "disruptionBudget": {"enabled": True, "minAvailable": 1},
                "canary": {"version": "2.0.0"},
            },
            "captioner": {"scaling": {"mode": "hpa", "max": 3}},
        },
        "canary": {"weight": 10},
    }

    notes = _notes(values)

    assert "service/trilens-gateway 50051:50051" in notes
    assert "A canary is on: 10 % of the calls" in notes
    assert f"{STUCK}trilens-detector, trilens-detector-canary" in notes
    assert (
        "which is an outage (update: surge, where an accelerator is spare): trilens-detector"
        in notes
    )
    assert "a rollback to fixed ones needs --force-conflicts" in notes
    assert "in docs/chart.md before it: trilens-captioner" in notes


@pytest.mark.parametrize(
    ("replicas", "budget", "stuck"),
    [
        (2, {"maxUnavailable": 0}, True),
        (2, {"maxUnavailable": "0%"}, True),
        (2, {"minAvailable": 2}, True),
        (3, {"minAvailable": "67%"}, True),
        (3, {"minAvailable": "66%"}, False),
        (2, {"minAvailable": 1}, False),
        (1, {"minAvailable": 0}, False),
        (1, {}, False),
    ],
    ids=str,
)
def test_a_budget_that_blocks_every_drain_is_warned_about(
    replicas: int, budget: dict[str, Any], stuck: bool
):
    budget = {"enabled": True, **budget}
    model = {"replicas": replicas, "disruptionBudget": budget}

    assert (f"{STUCK}trilens-detector" in _notes({"models": {"detector": model}})) is stuck
    off = {**model, "disruptionBudget": {**budget, "enabled": False}}
    assert STUCK not in _notes({"models": {"detector": off}})


def test_a_download_that_no_policy_allows_is_warned_about():
    package = {"source": "download", "uri": "https://x.example/a.tar", "sha256": "5" * 64}
    values = {"models": {"detector": {"package": package}}}
    warning = "lets packages be downloaded (networkPolicy.packages): trilens-detector"

    assert warning in _notes(values)
    rule = {"ports": [{"port": 443}]}
    assert warning not in _notes({**values, "networkPolicy": {"packages": [rule]}})
    assert warning not in _notes({**values, "networkPolicy": {"enabled": False}})


def _notes(values: Any) -> str:
    # Only an install prints notes; a dry one needs no cluster.
    rendered = render(values, verb=("install", "--dry-run=client"), kinds=())
    assert not rendered.refusal, rendered.refusal
    return rendered.text.partition("NOTES:")[2]
