"""Renders the chart, as `helm template` does it for everybody else."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.cluster import programs

CHART = Path("helm/trilens")
CASES = sorted((CHART / "ci").glob("*-values.yaml"))
KINDS = (
    "keda.sh/v1alpha1/ScaledObject",
    "gateway.networking.k8s.io/v1/GRPCRoute",
    "gateway.networking.k8s.io/v1/HTTPRoute",
    "cert-manager.io/v1/Certificate",
    "monitoring.coreos.com/v1/PodMonitor",
)

Values = Mapping[str, Any]
Thing = dict[str, Any]


@dataclass(frozen=True)
class Rendered:
    """What a rendering gave: every object, or why there is none."""

    text: str
    refusal: str

    @property
    def objects(self) -> list[Thing]:
        assert not self.refusal, self.refusal
        return [one for one in yaml.load_all(self.text, yaml.CSafeLoader) if one]

    def of(self, kind: str) -> dict[str, Thing]:
        """The objects of a kind by name."""
        return {one["metadata"]["name"]: one for one in self.objects if one["kind"] == kind}

    def one(self, kind: str, name: str) -> Thing:
        return self.of(kind)[name]

    def deployment(self, name: str) -> Thing:
        spec: Thing = self.one("Deployment", name)["spec"]
        return spec

    def pod(self, name: str) -> Thing:
        """The pod that the Deployment of that name makes."""
        spec: Thing = self.deployment(name)["template"]["spec"]
        return spec

    def server(self, name: str) -> Thing:
        """Its server's container."""
        (container,) = self.pod(name)["containers"]
        return container

    def environment(self, name: str) -> dict[str, str]:
        """The variables of its server that have a value."""
        env = self.server(name)["env"]
        return {one["name"]: one["value"] for one in env if "value" in one}

    def release(self, name: str = "trilens") -> Thing:
        """The release document."""
        text = self.one("ConfigMap", f"{name}-release")["data"]["release.json"]
        document: Thing = json.loads(text)
        return document


def helm(version: int = 4) -> Path:
    """Helm's program; the test that asks is skipped where it was not built."""
    path = programs.path("helm" if version == 4 else "helm3")
    if not path.exists():
        pytest.skip(f"Helm {version} is not built: make chart")
    return path


def of_model(**changes: Any) -> Values:
    """The chart's own values but for these of the detector's."""
    return {"models": {"detector": changes}}


def render(
    values: Values | None = None,
    *,
    files: Sequence[Path] = (),
    name: str = "trilens",
    kube: str = "1.35",
    kinds: Sequence[str] = KINDS,
    version: int = 4,
    chart: Path = CHART,
    more: Sequence[str] = (),
    verb: Sequence[str] = ("template",),
) -> Rendered:
    """What the chart gives for these values; the same is rendered once only."""
    words = [*verb, name, str(chart), "--namespace=photos", *more]
    if verb[0] == "template":
        words.append(f"--kube-version={kube}")
    words += [f"--api-versions={kind}" for kind in kinds]
    words += [f"--values={file}" for file in files]
    return _run(str(helm(version)), tuple(words), json.dumps(values or {}))


@cache
def _run(program: str, words: tuple[str, ...], values: str) -> Rendered:
    done = subprocess.run(
        (program, *words, "--values=-"), input=values, capture_output=True, text=True, check=False
    )
    return Rendered(done.stdout, done.stderr if done.returncode else "")


def needs(case: Path, word: str) -> list[str]:
    """What a case says of itself: `# needs: KIND...`, `# since: VERSION`."""
    lines = case.read_text("utf-8").splitlines()
    marked = [line.removeprefix(f"# {word}:") for line in lines if line.startswith(f"# {word}:")]
    return " ".join(marked).split()
