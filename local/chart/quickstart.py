"""The quick start without Helm: what the chart renders by default, in a namespace of its own."""

import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

from local.cluster import programs

FILE: Final = Path("k8s/quickstart.yaml")

_CHART: Final = Path("helm/trilens")
_NAMESPACE: Final = Path("k8s/namespace.yaml")
_HEAD: Final = """\
# Trilens without Helm: kubectl apply -f k8s/quickstart.yaml
# The chart's own rendering (`make quickstart`): change helm/trilens, not this file. Updates that
# lose no call, canaries and rollbacks need Helm.
"""
_WITHOUT: Final = ("--no-hooks", "--set=tests.enabled=false")
_OF_HELM: Final = ("helm.sh/chart", "app.kubernetes.io/managed-by")


def write() -> None:
    """Writes the file."""
    FILE.write_text(text())


def text() -> str:
    """What the file should hold."""
    namespace = yaml.safe_load(_NAMESPACE.read_text())
    name = namespace["metadata"]["name"]
    template = ("template", "trilens", _CHART, "--namespace", name, *_WITHOUT)
    done = subprocess.run(
        (programs.path("helm"), *template), capture_output=True, text=True, check=True
    )
    things = [one for one in yaml.safe_load_all(done.stdout) if one]
    for thing in things:
        thing["metadata"]["namespace"] = name
        _forget_helm(thing)
    return _HEAD + yaml.safe_dump_all([namespace, *things], sort_keys=False, width=120)


def _forget_helm(part: Any) -> None:
    if isinstance(part, list):
        for one in part:
            _forget_helm(one)
    if isinstance(part, dict):
        for label in _OF_HELM:
            part.pop(label, None)
        for one in part.values():
            _forget_helm(one)
