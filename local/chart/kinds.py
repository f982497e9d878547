"""Schemas of the kinds that the chart renders, taken from the modules that define them.

What is kept is what decides whether an API server would take an object: no texts, and no field that
is not named. A file holds what differs from the version before it.
"""

import json
import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import yaml

FOLDER: Final = Path("tests/chart/kinds")
VERSIONS: Final = ("1.33", "1.34", "1.35", "1.36")

Schema = dict[str, Any]

_KUBERNETES: Final = {
    "v1/ConfigMap": "core.v1.ConfigMap",
    "v1/Pod": "core.v1.Pod",
    "v1/Service": "core.v1.Service",
    "v1/ServiceAccount": "core.v1.ServiceAccount",
    "apps/v1/Deployment": "apps.v1.Deployment",
    "autoscaling/v2/HorizontalPodAutoscaler": "autoscaling.v2.HorizontalPodAutoscaler",
    "networking.k8s.io/v1/NetworkPolicy": "networking.v1.NetworkPolicy",
    "policy/v1/PodDisruptionBudget": "policy.v1.PodDisruptionBudget",
    "rbac.authorization.k8s.io/v1/Role": "rbac.v1.Role",
    "rbac.authorization.k8s.io/v1/RoleBinding": "rbac.v1.RoleBinding",
    "resource.k8s.io/v1/ResourceClaimTemplate": "resource.v1.ResourceClaimTemplate",
}
_RELEASES: Final = ("v1.33.13", "v1.34.4", "v1.35.4", "v1.36.3")
_OTHERS: Final = (
    ("sigs.k8s.io/gateway-api@v1.6.3", "config/crd/standard/*_[gh]*routes.yaml"),
    ("github.com/kedacore/keda/v2@v2.21.0", "config/crd/bases/keda.sh_scaledobjects.yaml"),
    ("github.com/cert-manager/cert-manager@v1.21.2", "deploy/crds/*certificates.yaml"),
    (
        "github.com/prometheus-operator/prometheus-operator@v0.85.0",
        "example/prometheus-operator-crd/*podmonitors.yaml",
    ),
)
_OPEN: Final = "x-kubernetes-preserve-unknown-fields"
# Of these, the published schemas say less than the API server takes.
_LOOSE: Final[dict[str, Schema]] = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": ["string", "number"]},
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": ["string", "integer"]},
}


def read(version: str, folder: Path = FOLDER) -> Schema:
    """The schemas for that version of Kubernetes: `kinds` by "apiVersion/kind", and definitions."""
    whole: Schema = {"kinds": {}, "definitions": {}}
    files = [f"kubernetes-{known}.json" for known in VERSIONS[: VERSIONS.index(version) + 1]]
    for name in (*files, "others.json"):
        for part, content in json.loads((folder / name).read_text("utf-8")).items():
            whole[part] |= content
    return whole


def write(folder: Path = FOLDER) -> None:
    """Takes the schemas from the modules anew; Go fetches each, 0.3 GB, and none stays."""
    folder.mkdir(exist_ok=True)
    before: Schema = {"kinds": {}, "definitions": {}}
    for version, release in zip(VERSIONS, _RELEASES, strict=True):
        with _module(f"k8s.io/kubernetes@{release}") as path:
            published = json.loads((path / "api/openapi-spec/swagger.json").read_text("utf-8"))
        now = _of_kubernetes(published["definitions"])
        _save(folder / f"kubernetes-{version}.json", _difference(before, now))
        before = now
    others: Schema = {}
    for module, pattern in _OTHERS:
        with _module(module) as path:
            for file in sorted(path.glob(pattern)):
                others |= dict(_of_definitions(yaml.safe_load_all(file.read_text("utf-8"))))
    _save(folder / "others.json", {"kinds": others})


@contextmanager
def _module(name: str) -> Iterator[Path]:
    """A module's folder, for as long as the block lasts."""
    with TemporaryDirectory() as cache:
        ours = {"GOMODCACHE": cache, "GOFLAGS": "-modcacherw", "GOWORK": "off"}
        command = ("go", "mod", "download", "-json", name)
        told = subprocess.run(
            command, cwd=cache, env=os.environ | ours, capture_output=True, text=True, check=True
        )
        yield Path(json.loads(told.stdout)["Dir"])


def _of_kubernetes(published: Schema) -> Schema:
    kinds: Schema = {}
    found: Schema = {}
    for key, name in _KUBERNETES.items():
        full = f"io.k8s.api.{name}"
        if full in published:
            kinds[key] = {"$ref": f"#/definitions/{full}"}
            found |= dict(_closure(published, full))
    return {"kinds": kinds, "definitions": found}


def _closure(published: Schema, name: str) -> Iterator[tuple[str, Schema]]:
    """The definition of that name, and all that it refers to."""
    waiting, seen = [name], {name}
    while waiting:
        name = waiting.pop()
        schema = _LOOSE.get(name) or _reduced(published[name])
        yield name, schema
        for reference in _references(schema):
            if reference not in seen:
                seen.add(reference)
                waiting.append(reference)


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(reference := schema.get("$ref"), str):
            yield reference.removeprefix("#/definitions/")
        for value in schema.values():
            yield from _references(value)


def _of_definitions(documents: Iterable[Any]) -> Iterator[tuple[str, Schema]]:
    for document in documents:
        if document and document["kind"] == "CustomResourceDefinition":
            spec = document["spec"]
            for version in spec["versions"]:
                key = f"{spec['group']}/{version['name']}/{spec['names']['kind']}"
                yield key, _reduced(version["schema"]["openAPIV3Schema"])


def _reduced(schema: Schema) -> Schema:
    """Without texts, and closed: what is not named is refused."""
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["string", "integer"]}
    kept: Schema = {}
    for key, value in schema.items():
        if key == "properties":
            kept[key] = {name: _reduced(one) for name, one in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            kept[key] = _reduced(value)
        elif key in ("$ref", "type", "required", "enum", "pattern", "minimum", "maximum") or (
            key in ("minItems", "maxItems", "minLength", "maxLength", "additionalProperties")
        ):
            kept[key] = value
    if "properties" in kept and not schema.get(_OPEN):
        kept.setdefault("additionalProperties", False)
    return kept


def _difference(before: Schema, now: Schema) -> Schema:
    return {
        part: {name: one for name, one in content.items() if before[part].get(name) != one}
        for part, content in now.items()
    }


def _save(file: Path, content: Schema) -> None:
    file.write_text(json.dumps(content, sort_keys=True, separators=(",", ":")) + "\n", "utf-8")
