"""Packages: what is sound opens, and whatever is not is refused with the reason."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.packages import InvalidPackage, open_package, write_manifest
from tests.fakes import manifest_fields


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Changes what the manifest says."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def test_a_sound_package_opens_by_folder_and_by_uri(folder: Path) -> None:
    package = open_package(folder)

    assert package.manifest.name == "objects"
    assert package.file("network") == folder / "network.onnx"
    assert open_package(str(folder)) == package
    assert open_package(folder.as_uri()) == package
    assert open_package(f"file://localhost{folder}").digest == package.digest


def test_a_folder_with_spaces_has_a_uri_too(folder: Path) -> None:
    spaced = folder.rename(folder.parent / "with spaces ü")

    assert open_package(spaced.as_uri()).path == spaced


def test_the_digest_changes_with_any_file(folder: Path) -> None:
    before = open_package(folder).digest
    (folder / "network.onnx").write_bytes(b"another")
    fields = json.loads((folder / "manifest.json").read_text())
    write_manifest(folder, fields)

    assert open_package(folder).digest != before


@pytest.mark.parametrize("uri", ["s3://bucket/model", "https://x/y", "file://elsewhere/model"])
def test_a_package_elsewhere_is_refused(uri: str) -> None:
    with pytest.raises(InvalidPackage, match=re.escape(f"{uri}: packages are read from folders")):
        open_package(uri)


def no_manifest(folder: Path) -> str:
    (folder / "manifest.json").unlink()
    return f"{folder}/manifest.json: No such file or directory"


def no_folder(folder: Path) -> str:
    folder.rename(folder.parent / "moved")
    return f"{folder}/manifest.json: No such file or directory"


def broken_json(folder: Path) -> str:
    (folder / "manifest.json").write_text('{"schema": 1,')
    return f"{folder}/manifest.json: Invalid JSON: EOF while parsing"


def not_text(folder: Path) -> str:
    (folder / "manifest.json").write_bytes(b"\xff\xfe{")
    return f"{folder}/manifest.json: Invalid JSON"


def unknown_key(folder: Path) -> str:
    edit(folder, lambda manifest: manifest.update(sumary="a misspelt word"))
    return f"{folder}/manifest.json: sumary: Extra inputs are not permitted"


def two_problems(folder: Path) -> str:
    edit(folder, lambda manifest: [manifest.pop("license"), manifest.update(version="one")])
    return f"{folder}/manifest.json: version: String should match pattern"


def newer_schema(folder: Path) -> str:
    edit(folder, lambda manifest: manifest.update(schema=2))
    return f"{folder}/manifest.json: schema: Input should be 1"


def changed_artifact(folder: Path) -> str:
    (folder / "network.onnx").write_bytes(b"yes network")
    return f"{folder}/network.onnx: SHA-256 is "


def changed_photo(folder: Path) -> str:
    (folder / "golden" / "photo.png").write_bytes(b"a photo")
    return f"{folder}/golden/photo.png: SHA-256 is "


def changed_expectation(folder: Path) -> str:
    (folder / "golden" / "expected.json").write_text("{}")
    return f"{folder}/golden/expected.json: SHA-256 is "


def missing_artifact(folder: Path) -> str:
    (folder / "network.onnx").unlink()
    return f"{folder}/network.onnx: No such file or directory"


def folder_for_artifact(folder: Path) -> str:
    (folder / "network.onnx").unlink()
    (folder / "network.onnx").mkdir()
    return f"{folder}/network.onnx: Is a directory"


def wrong_size(folder: Path) -> str:
    edit(folder, lambda manifest: manifest["artifacts"]["network"].update(bytes=3))
    return f"{folder}/network.onnx: 10 bytes, but manifest.json says 3 (artifacts.network)"


def parent_path(folder: Path) -> str:
    edit(folder, lambda manifest: manifest["artifacts"]["network"].update(path="../x.onnx"))
    return f"{folder}/manifest.json: artifacts.network.path: Value error, must be a relative path"


def absolute_path(folder: Path) -> str:
    edit(folder, lambda manifest: manifest["artifacts"]["network"].update(path="/etc/passwd"))
    return f"{folder}/manifest.json: artifacts.network.path: Value error, must be a relative path"


def link_out(folder: Path) -> str:
    outside = folder.parent / "network.onnx"
    (folder / "network.onnx").rename(outside)
    (folder / "network.onnx").symlink_to(outside)
    return f"{folder}/manifest.json: artifacts.network: network.onnx leaves the package"


def linked_folder_out(folder: Path) -> str:
    (folder / "golden").rename(folder.parent / "golden")
    (folder / "golden").symlink_to(folder.parent / "golden")
    return f"{folder}/manifest.json: golden.cases[0].photo: golden/photo.png leaves the package"


def link_loop(folder: Path) -> str:
    (folder / "network.onnx").unlink()
    (folder / "network.onnx").symlink_to("network.onnx")
    return f"{folder}/network.onnx: Too many levels of symbolic links"


DAMAGES = (
    *(no_manifest, no_folder, broken_json, not_text, unknown_key, two_problems, newer_schema),
    *(changed_artifact, changed_photo, changed_expectation, missing_artifact, wrong_size),
    *(folder_for_artifact, parent_path, absolute_path, link_out, linked_folder_out, link_loop),
)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_package_is_refused_with_the_reason(
    damage: Callable[[Path], str], folder: Path
) -> None:
    reason = damage(folder)

    with pytest.raises(InvalidPackage) as refusal:
        open_package(folder)

    assert str(refusal.value).startswith(reason)


def test_every_problem_of_a_manifest_is_told_at_once(folder: Path) -> None:
    two_problems(folder)

    with pytest.raises(InvalidPackage, match=r"version: .*; license: Field required"):
        open_package(folder)


def test_a_link_within_the_package_is_fine(folder: Path) -> None:
    (folder / "network.onnx").rename(folder / "weights")
    (folder / "network.onnx").symlink_to("weights")

    assert open_package(folder).file("network") == folder / "network.onnx"


def test_a_linked_package_is_fine(folder: Path) -> None:
    link = folder.parent / "latest"
    link.symlink_to(folder)

    assert open_package(link).manifest.version == "1.2.3"


def test_an_artifact_that_the_manifest_lacks_is_named(folder: Path) -> None:
    with pytest.raises(InvalidPackage, match=r"manifest.json: artifacts: 'detector' is missing"):
        open_package(folder).file("detector")


def test_a_network_that_cannot_be_loaded_is_named_with_the_runtimes_reason(folder: Path) -> None:
    with pytest.raises(InvalidPackage, match=r"network.onnx: onnxruntime cannot load it: .*"):
        open_package(folder).network("network")


def test_a_manifest_is_written_with_sizes_and_digests(folder: Path) -> None:
    manifest = open_package(folder).manifest

    assert manifest.artifacts["network"].bytes == len(b"no network")
    (case,) = manifest.golden.cases
    assert len(case.photo_sha256) == 64


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"artifacts": {"network": {"path": "none.onnx"}}}, "none.onnx: No such file"),
        ({"labels": []}, "labels: a detection model needs at least one"),
    ],
    ids=["missing file", "invalid manifest"],
)
def test_nothing_is_written_for_a_package_that_would_not_open(
    changes: dict[str, Any], reason: str, folder: Path
) -> None:
    (folder / "manifest.json").unlink()
    fields = manifest_fields() | {"artifacts": {"network": {"path": "network.onnx"}}}
    case = {"photo": "golden/photo.png", "expected": "golden/expected.json"}

    with pytest.raises(InvalidPackage, match=reason):
        write_manifest(folder, fields | {"golden": {"cases": [case]}} | changes)

    assert not (folder / "manifest.json").exists()
