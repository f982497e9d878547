"""What Helm recorded, as it is read here."""

import base64
import json
from pathlib import Path

import pytest
import yaml

from rollout.helm import unpacked
from rollout.records import Record, Unusable, laid_over

CHART = {
    "metadata": {"name": "trilens", "version": "1.0.0"},
    "values": {"models": {"detector": {"version": "1.0.0", "canary": {"version": ""}}}},
    "schema": base64.b64encode(b'{"type": "object"}').decode(),
    "templates": [{"name": "templates/a.yaml", "data": base64.b64encode(b"a: 1\n").decode()}],
    "files": [{"name": "README.md", "data": base64.b64encode(b"read me").decode()}],
}
MANIFEST = """\
---
# Source: trilens/templates/a.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: trilens-detector}
spec: {replicas: 2}
---
"""


def record(**changes: object) -> Record:
    content = {"revision": 3, "status": "deployed", "config": {}, "chart": CHART}
    return Record(**{**content, "manifest": MANIFEST, **changes})


def test_an_operators_values_are_laid_over_the_charts_as_helm_does():
    under = {"a": {"b": 1, "c": 2}, "d": [1], "e": 3}

    assert laid_over(under, {"a": {"b": 9}, "d": [2, 3], "e": None}) == {
        "a": {"b": 9, "c": 2},
        "d": [2, 3],
    }


def test_a_canary_is_one_with_a_version():
    config = {"models": {"detector": {"canary": {"version": "1.1.0"}}, "captioner": None}}

    assert record().canaries == {}
    assert record(config=config).canaries == {"detector": "1.1.0"}


def test_an_object_is_found_as_helm_rendered_it():
    assert record().object("Deployment", "trilens-detector")["spec"] == {"replicas": 2}
    assert record().object("Deployment", "trilens-captioner") is None


def test_the_chart_of_a_release_is_written_as_it_was(tmp_path: Path):
    unpacked(record(), tmp_path)

    assert yaml.safe_load((tmp_path / "Chart.yaml").read_text()) == CHART["metadata"]
    assert yaml.safe_load((tmp_path / "values.yaml").read_text()) == CHART["values"]
    assert json.loads((tmp_path / "values.schema.json").read_text()) == {"type": "object"}
    assert (tmp_path / "templates" / "a.yaml").read_text() == "a: 1\n"
    assert (tmp_path / "README.md").read_text() == "read me"


def test_a_chart_that_helm_recorded_in_part_is_not_used(tmp_path: Path):
    metadata = {**CHART["metadata"], "dependencies": [{"name": "redis"}]}

    with pytest.raises(Unusable, match="--chart"):
        unpacked(record(chart={**CHART, "metadata": metadata}), tmp_path)
