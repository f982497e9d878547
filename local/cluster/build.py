"""Builds the cluster's programs, each once: what is in the cache is not built again."""

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from local.cluster.alone import alone
from local.cluster.needs import Unmet, check_go
from local.cluster.programs import Group

_TELL_EVERY_SECONDS: Final = 30.0


def build(groups: Sequence[Group]) -> None:
    """Builds what is missing; stopped at any moment, it goes on where it was."""
    missing = [(group, name) for group in groups for name in group.missing()]
    if not missing:
        return
    check_go({group for group, _ in missing})
    with alone("build"):
        for number, (group, name) in enumerate(missing, start=1):
            if name in group.missing():  # another one may have built it while this one waited
                _build(group, name, f"{number} of {len(missing)}")
    for group in groups:
        _forget_older(group)


def _build(group: Group, name: str, place: str) -> None:
    begun = time.monotonic()
    print(f"building {name} ({place}) ...", flush=True)
    group.built().mkdir(parents=True, exist_ok=True)
    # Under its own name only once it is whole.
    unfinished = group.built() / f".{name}.unfinished"
    command = ("go", "build", "-v", *group.flags, "-o", str(unfinished), group.programs[name])
    words = _last_words(command, group.folder, name, begun)
    if words is not None:
        raise Unmet(f"{name} could not be built:\n{words}")
    _keep_manifests(group)  # before the program: with it the group counts as built
    unfinished.rename(group.built() / name)
    print(f"  took {time.monotonic() - begun:.0f} s", flush=True)


def _last_words(command: tuple[str, ...], folder: Path, name: str, begun: float) -> str | None:
    """Runs the build and tells how far it is; what it said at the end if it failed."""
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
    said: list[str] = []
    told = begun
    with subprocess.Popen(
        command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True
    ) as going:
        assert going.stderr is not None  # noqa: S101 - it is a pipe
        for line in going.stderr:
            said.append(line)
            if time.monotonic() - told > _TELL_EVERY_SECONDS:
                told = time.monotonic()
                print(f"  {name}: {len(said)} packages, {told - begun:.0f} s", flush=True)
    return None if going.returncode == 0 else "".join(said[-20:])


def _keep_manifests(group: Group) -> None:
    if group.manifests:
        asked = ("go", "list", "-m", "-f", "{{.Dir}}", group.module)
        told = subprocess.run(asked, cwd=group.folder, capture_output=True, text=True, check=True)
        kept = group.built() / "manifests"
        shutil.copytree(Path(told.stdout.strip()) / group.manifests, kept, dirs_exist_ok=True)
        for file in (kept, *kept.rglob("*")):
            file.chmod(file.stat().st_mode | 0o200)  # modules are kept read-only


def _forget_older(group: Group) -> None:
    """Removes what was built from other versions: 0.5 GB each time they change."""
    for folder in group.built().parent.glob(f"{group.name}-*"):
        key = folder.name.removeprefix(f"{group.name}-")
        if key != group.key and "-" not in key:
            shutil.rmtree(folder, ignore_errors=True)
