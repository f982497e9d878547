import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from local.cluster import oci


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes]:
    program = tmp_path / "pause"
    program.write_bytes(b"#!/bin/true\n")
    oci.archive(program, "localhost/pause:1", tmp_path / "pause.tar")
    with tarfile.open(tmp_path / "pause.tar") as archive:
        members = {member.name: archive.extractfile(member) for member in archive}
        return {name: content.read() for name, content in members.items() if content}


def test_an_archive_tells_the_names_of_its_images(tmp_path: Path):
    (tmp_path / "pause").touch()
    oci.archive(tmp_path / "pause", "localhost/pause:1", tmp_path / "pause.tar")

    assert oci.names(tmp_path / "pause.tar") == ("localhost/pause:1",)


def blob(files: dict[str, bytes], described: dict[str, object]) -> bytes:
    return files[f"blobs/{str(described['digest']).replace(':', '/')}"]


def test_an_image_holds_the_program_and_starts_it_as_nobody(files: dict[str, bytes]):
    index = json.loads(files["index.json"])
    manifest = json.loads(blob(files, index["manifests"][0]))
    config = json.loads(blob(files, manifest["config"]))
    layer = blob(files, manifest["layers"][0])

    assert config["config"] == {"Entrypoint": ["/pause"], "User": "65532:65532"}
    with tarfile.open(fileobj=io.BytesIO(layer)) as root:
        assert root.getmember("pause").mode == 0o755
    assert index["manifests"][0]["annotations"]["io.containerd.image.name"] == "localhost/pause:1"


def test_everything_in_an_image_is_what_its_digest_says(files: dict[str, bytes]):
    blobs = {name: content for name, content in files.items() if name.startswith("blobs/")}

    assert len(blobs) == 3
    for name, content in blobs.items():
        assert name == f"blobs/sha256/{hashlib.sha256(content).hexdigest()}"


def test_an_image_of_a_folder_holds_its_files_and_runs_nothing(tmp_path: Path):
    (tmp_path / "package" / "golden").mkdir(parents=True)
    (tmp_path / "package" / "manifest.json").write_text("{}")
    (tmp_path / "package" / "golden" / "cat.json").write_text("[]")

    oci.archive_folder(tmp_path / "package", "localhost/packages/objects:1", tmp_path / "file.tar")

    with tarfile.open(tmp_path / "file.tar") as archive:
        index = json.loads(archive.extractfile("index.json").read())
        members = {name: archive.extractfile(name).read() for name in archive.getnames()}
    manifest = json.loads(blob(members, index["manifests"][0]))
    with tarfile.open(fileobj=io.BytesIO(blob(members, manifest["layers"][0]))) as root:
        assert sorted(root.getnames()) == ["golden/cat.json", "manifest.json"]
    assert json.loads(blob(members, manifest["config"]))["config"] == {}
