"""OCI: images of one layer, a static program or a folder, written as archives."""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

PAUSE: Final = "localhost/pause:1"
PROBE: Final = "localhost/probe:1"  # for tests of the network

_TYPE: Final = "application/vnd.oci.image"
_NAME: Final = "io.containerd.image.name"
_NOBODY: Final = 65532
_MACHINES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


def archive(program: Path, name: str, file: Path) -> None:
    """Writes an image of that name, whose entry point is the program."""
    started = {"Entrypoint": [f"/{program.name}"], "User": f"{_NOBODY}:{_NOBODY}"}
    _write(name, file, _layer({program.name: (program, 0o755)}), started)


def archive_folder(folder: Path, name: str, file: Path) -> None:
    """Writes an image of that name, with the folder's files and nothing to run."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    _write(name, file, _layer({str(path.relative_to(folder)): (path, 0o644) for path in found}), {})


def names(file: Path) -> tuple[str, ...]:
    """The names of the images in an archive, whoever wrote it."""
    with tarfile.open(file) as files:
        index = files.extractfile("index.json")
        assert index is not None  # noqa: S101 - it is no folder
        entries = json.loads(index.read())["manifests"]
    found = (_name(entry.get("annotations", {})) for entry in entries)
    return tuple(name for name in found if name)


def _write(name: str, file: Path, layer: bytes, started: Mapping[str, Any]) -> None:
    config = _json(
        {
            "architecture": _MACHINES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": started,
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": f"{_TYPE}.manifest.v1+json",
            "config": _described("config.v1+json", config),
            "layers": [_described("layer.v1.tar", layer)],
        }
    )
    named = {"annotations": {_NAME: name}}
    index = {"schemaVersion": 2, "manifests": [_described("manifest.v1+json", manifest) | named]}
    with tarfile.open(file, "w") as files:
        _add(files, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add(files, "index.json", _json(index))
        for blob in (config, layer, manifest):
            _add(files, f"blobs/{_digest(blob).replace(':', '/')}", blob)


def _name(annotations: Mapping[str, str]) -> str | None:
    return annotations.get(_NAME) or annotations.get("org.opencontainers.image.ref.name")


def _layer(content: Mapping[str, tuple[Path, int]]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as files:
        for name, (path, mode) in content.items():
            _add(files, name, path.read_bytes(), mode)
    return packed.getvalue()


def _add(files: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    entry.mode = mode
    files.addfile(entry, io.BytesIO(content))


def _described(kind: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": f"{_TYPE}.{kind}", "digest": _digest(content), "size": len(content)}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True).encode()
