"""Product: the images of this repository, and those of its tests."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from chassis.version import VERSION
from local.cluster import images, oci
from local.cluster.alone import alone
from local.cluster.images import BASE, Recipe
from local.cluster.programs import cache
from local.sbom import bill
from services.packages import open_package

SERVICES: Final = ("classifier", "captioner", "detector")
REGISTRY: Final = "localhost/trilens"  # as the chart names images where the registry is `localhost`
TAG: Final = VERSION
TINY: Final = f"{VERSION}-tiny"

_ROOT: Final = Path(__file__).resolve().parent.parent.parent
_BILLS: Final = _ROOT / "build" / "sbom"
_DOCKERFILE: Final = _ROOT / "Dockerfile"
_TINY_DOCKERFILE: Final = _ROOT / "tests" / "e2e" / "images" / "Dockerfile"
_TINY_PACKAGES: Final = _ROOT / "build" / "tiny"


def build() -> Iterator[Path]:
    """Builds the gateway and the three services with their default packages: an archive each.

    What is in them is written to `build/sbom`.
    """
    images.build_base()
    _BILLS.mkdir(parents=True, exist_ok=True)
    for target in ("gateway", *SERVICES):
        file = _built(f"{target}:{TAG}", Recipe(_DOCKERFILE, _ROOT, target, {"BASE": BASE}))
        (_BILLS / f"{target}.cdx.json").write_text(bill(file))
        yield file


def build_tiny() -> Iterator[Path]:
    """Builds what tests of load and rollouts need: the services with every tiny package.

    Besides, an image of each tiny package, to be mounted as a volume.
    """
    with alone("images"):
        subprocess.run((sys.executable, "-m", "tests.tiny", _TINY_PACKAGES), cwd=_ROOT, check=True)
    bare = f"{REGISTRY}/service:{TAG}"
    _built(f"service:{TAG}", Recipe(_DOCKERFILE, _ROOT, "service", {"BASE": BASE}))
    for target in SERVICES:
        recipe = Recipe(_TINY_DOCKERFILE, _TINY_PACKAGES, target, {"SERVICE": bare})
        yield _built(f"{target}:{TINY}", recipe)
    for manifest in sorted(_TINY_PACKAGES.glob("*/*/manifest.json")):
        yield package(manifest.parent)


def package(folder: Path) -> Path:
    """An image that holds a package and nothing else; raises InvalidPackage."""
    manifest = open_package(folder).manifest
    name, version = manifest.name, manifest.version
    file = cache() / "images" / f"{name}-{version}.tar"
    file.parent.mkdir(parents=True, exist_ok=True)
    oci.archive_folder(folder, f"{REGISTRY}/packages/{name}:{version}", file)
    return file


def _built(name: str, recipe: Recipe) -> Path:
    print(f"building {REGISTRY}/{name}", flush=True)
    return images.build(f"{REGISTRY}/{name}", recipe)
