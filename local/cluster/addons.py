"""Addons: kwok, metrics-server and KEDA, from the manifests that their own modules publish."""

import base64
import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from local.cluster import images, programs
from local.cluster.build import build
from local.cluster.place import Living, Place
from local.cluster.programs import Group

ADDONS: Final = {group.name: group for group in programs.EXTRAS}

_OVERLAYS: Final = Path(__file__).resolve().parent / "addons"
_NAMESPACES: Final = {"keda": "keda"}  # the others are at home in kube-system
_PATIENCE: Final = "--timeout=120s"


class NotInstalled(Exception):
    """An addon could not be installed; the text says why."""


def install(place: Place, living: Living, name: str) -> None:
    """Builds what it needs, installs it and waits until it is ready; again does no harm."""
    group = ADDONS[name]
    build((group,))
    for program in group.programs:
        images.load_program(place, living, program, f"localhost/{program}:1")
    folder = _laid_out(place, group)
    kubectl = Kubectl(place, living)
    if group is programs.KEDA:
        for content in _certificates(place.folder / "keys"):
            kubectl("apply", "--server-side", "--filename=-", content=content)
    if (folder / "published" / "crd").exists():
        _define(kubectl, folder / "published" / "crd")
    kubectl("apply", "--server-side", "--force-conflicts", "--kustomize", str(folder))
    namespace = _NAMESPACES.get(name, "kube-system")
    kubectl("wait", "deployment", "--all", "-n", namespace, "--for=condition=Available", _PATIENCE)


class Kubectl:
    """Runs kubectl in the cluster's network."""

    def __init__(self, place: Place, living: Living) -> None:
        self._command = (str(programs.path("kubectl")), f"--kubeconfig={place.kubeconfig}")
        self._living = living

    def __call__(self, *words: str, content: Mapping[str, Any] | None = None) -> str:
        """What it printed; `content` is what it reads from its input."""
        done = subprocess.run(
            self._living.within(*self._command, *words),
            input=json.dumps(content) if content else None,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise NotInstalled(f"kubectl {' '.join(words)}:\n{done.stderr.strip()}")
        return done.stdout


def _define(kubectl: Kubectl, kinds: Path) -> None:
    """Makes the API server know its kinds of objects, before it is given any."""
    kubectl("apply", "--server-side", "--force-conflicts", "--kustomize", str(kinds))
    kubectl("wait", "customresourcedefinitions", "--all", "--for=condition=Established", _PATIENCE)


def _laid_out(place: Place, group: Group) -> Path:
    folder = place.folder / "addons" / group.name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(_OVERLAYS / group.name, folder)
    shutil.copytree(group.built() / "manifests", folder / "published")
    return folder


def _certificates(keys: Path) -> tuple[Mapping[str, Any], ...]:
    """The secret that both of KEDA's processes read, and its namespace."""
    files = {"ca.crt": "ca.crt", "tls.crt": "serving.crt", "tls.key": "serving.key"}
    data = {
        name: base64.b64encode((keys / file).read_bytes()).decode() for name, file in files.items()
    }
    named = {"name": "kedaorg-certs", "namespace": "keda"}
    return (
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "keda"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": named, "data": data},
    )
