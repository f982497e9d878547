"""Every case of helm/trilens/ci: what any Kubernetes would say to it."""

import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from local.chart import kinds
from tests.chart.rendering import CASES, CHART, helm, needs, render

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@cache
def validator(version: str, kind: str) -> Draft7Validator:
    schemas = kinds.read(version)
    return Draft7Validator({**schemas["kinds"][kind], "definitions": schemas["definitions"]})


def problems(version: str, thing: dict[str, Any]) -> list[str]:
    found = validator(version, f"{thing['apiVersion']}/{thing['kind']}").iter_errors(thing)
    where = f"{thing['kind']} {thing['metadata']['name']}"
    return [f"{where}: {error.json_path}: {error.message}" for error in found]


@every_case
@pytest.mark.parametrize("version", kinds.VERSIONS)
def test_every_version_of_kubernetes_knows_each_field_of_each_object(case: Path, version: str):
    if any(float(version) < float(since) for since in needs(case, "since")):
        pytest.skip(f"{case.name} is for newer versions")

    rendered = render(files=[case], kube=version, kinds=needs(case, "needs"))

    assert [line for thing in rendered.objects for line in problems(version, thing)] == []


def test_a_field_that_kubernetes_does_not_know_is_found():
    service = render().one("Service", "trilens-gateway")
    service["spec"]["clusterIp"] = "None"

    (problem,) = problems("1.35", service)

    assert "clusterIp" in problem


@every_case
def test_helm_finds_nothing_to_complain_about(case: Path):
    command = (helm(), "lint", "--strict", CHART, f"--values={case}", "--quiet")

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@every_case
def test_helm_3_renders_the_same(case: Path):
    four, three = (render(files=[case], version=version) for version in (4, 3))

    # Helm 4 prints an object that ends in blank lines with one more of them.
    assert four.objects == three.objects


@every_case
def test_rendering_twice_gives_the_same_text(case: Path):
    first = render(files=[case])

    again = render(files=[case], more=["--debug=false"])

    assert first.text == again.text
    assert "random" not in first.text


@every_case
def test_no_object_is_named_twice(case: Path):
    objects = render(files=[case]).objects

    names = [(one["kind"], one["metadata"]["name"]) for one in objects]

    assert len(set(names)) == len(names)


@every_case
def test_nothing_belongs_to_the_whole_cluster(case: Path):
    objects = render(files=[case]).objects

    ours = [one for one in objects if not one["metadata"]["name"].endswith(("-extra", "-text"))]
    assert {one["metadata"]["namespace"] for one in ours} == {"photos"}
    assert not [one for one in objects if one["kind"].startswith("Cluster")]
