"""Model packages: folders with a manifest; finds, verifies, and writes them.

`python -m services.packages` builds packages of one's own models, and checks packages.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from os.path import realpath
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from pydantic import ValidationError

from services.manifest import FILE, Artifact, Manifest
from services.runtimes import DeviceFailed, Network, RuntimeUnavailable, open_network
from services.schema import problems

_CHUNK_BYTES: Final = 1 << 20


class InvalidPackage(Exception):
    """A package that cannot be served; the text says which file and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Package:
    """A folder whose manifest is valid and whose files are the ones it names."""

    path: Path
    manifest: Manifest
    digest: str  # SHA-256 of manifest.json, which holds the digest of every other file

    def file(self, artifact: str) -> Path:
        """Where an artefact lies; InvalidPackage if the manifest names none of that key."""
        try:
            return self.path / self.manifest.artifacts[artifact].path
        except KeyError:
            raise InvalidPackage(
                f"{self.path / FILE}: artifacts: {artifact!r} is missing"
            ) from None

    def network(self, artifact: str, runtime: str | None = None, threads: int = 1) -> Network:
        """Loads an artefact with the package's runtime, or with the one named instead.

        Raises InvalidPackage if it cannot be loaded, RuntimeUnavailable if the runtime is missing,
        DeviceFailed if what it computes on is.
        """
        runtime = runtime or self.manifest.runtime
        path = self.file(artifact)
        try:
            return open_network(runtime, path, threads)
        except (RuntimeUnavailable, DeviceFailed):
            raise
        except Exception as error:
            raise InvalidPackage(f"{path}: {runtime} cannot load it: {error}") from error


def open_package(uri: str | Path) -> Package:
    """Opens a package by folder or file:// URI and verifies every file's digest.

    Raises InvalidPackage, which says exactly what is wrong.
    """
    folder = _folder(uri)
    content, manifest = _manifest(folder)
    for key, artifact in manifest.artifacts.items():
        _verify(folder, f"artifacts.{key}", artifact.path, artifact.sha256)
        _weigh(folder, f"artifacts.{key}", artifact)
    for number, case in enumerate(manifest.golden.cases):
        _verify(folder, f"golden.cases[{number}].photo", case.photo, case.photo_sha256)
        _verify(folder, f"golden.cases[{number}].expected", case.expected, case.expected_sha256)
    return Package(folder, manifest, hashlib.sha256(content).hexdigest())


def write_manifest(folder: Path, fields: Mapping[str, Any]) -> Manifest:
    """Writes manifest.json from its fields, adding sizes and digests of the files they name.

    `fields` is the manifest without them: artefacts and golden cases give paths only.
    Raises InvalidPackage if a file is missing or the whole is not a valid manifest.
    """
    whole = dict(fields)
    whole["artifacts"] = {
        key: {
            "path": artifact["path"],
            "sha256": _digest(folder / artifact["path"]),
            "bytes": (folder / artifact["path"]).stat().st_size,
        }
        for key, artifact in fields["artifacts"].items()
    }
    golden = dict(fields["golden"])
    golden["cases"] = [
        {
            "photo": case["photo"],
            "photo_sha256": _digest(folder / case["photo"]),
            "expected": case["expected"],
            "expected_sha256": _digest(folder / case["expected"]),
        }
        for case in golden["cases"]
    ]
    whole["golden"] = golden
    try:
        manifest = Manifest.model_validate(whole)
    except ValidationError as error:
        raise InvalidPackage(problems(folder / FILE, error)) from None
    text = json.dumps(manifest.model_dump(mode="json", by_alias=True), indent=2) + "\n"
    (folder / FILE).write_text(text)
    return manifest


def _folder(uri: str | Path) -> Path:
    if isinstance(uri, Path):
        return uri
    parts = urlsplit(uri)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Path(unquote(parts.path))
    if parts.scheme:
        raise InvalidPackage(f"{uri}: packages are read from folders and file:// URIs only")
    return Path(uri)


def _manifest(folder: Path) -> tuple[bytes, Manifest]:
    path = folder / FILE
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidPackage(f"{path}: {error.strerror}") from None
    try:
        return content, Manifest.model_validate_json(content)
    except ValidationError as error:
        raise InvalidPackage(problems(path, error)) from None


def _verify(folder: Path, key: str, path: str, expected: str) -> None:
    if not Path(realpath(folder / path)).is_relative_to(realpath(folder)):
        raise InvalidPackage(f"{folder / FILE}: {key}: {path} leaves the package")
    actual = _digest(folder / path)
    if actual != expected:
        raise InvalidPackage(
            f"{folder / path}: SHA-256 is {actual}, but {FILE} says {expected} ({key})"
        )


def _weigh(folder: Path, key: str, artifact: Artifact) -> None:
    size = (folder / artifact.path).stat().st_size
    if size != artifact.bytes:
        raise InvalidPackage(
            f"{folder / artifact.path}: {size} bytes, but {FILE} says {artifact.bytes} ({key})"
        )


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise InvalidPackage(f"{path}: {error.strerror}") from None
    return digest.hexdigest()
