"""Bills of materials: what is in an image, as the last layer leaves it, in valid CycloneDX."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from local.sbom import bill
from tests.fakes import write_package

DPKG = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9+deb12u14
Description: a library
 with a second line

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1
"""
SITE = "environment/lib/python3.11/site-packages"


def tar(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return content.getvalue()


def image(file: Path, *layers: dict[str, bytes]) -> Path:
    """An OCI archive of an image with these layers."""
    blobs: dict[str, bytes] = {}

    def kept(content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = content
        return {"digest": f"sha256:{digest}", "size": len(content)}

    config = kept(json.dumps({"created": "2026-01-02T03:04:05.123456789Z"}).encode())
    manifest = {"config": config, "layers": [kept(tar(layer)) for layer in layers]}
    named = {"annotations": {"org.opencontainers.image.ref.name": "localhost/detector:1.2"}}
    index = {"manifests": [kept(json.dumps(manifest).encode()) | named]}
    file.write_bytes(tar({"index.json": json.dumps(index).encode(), **blobs}))
    return file


def metadata(name: str, *lines: str) -> bytes:
    return "\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0", *lines]).encode()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    package = write_package(tmp_path / "package")
    below = {
        "var/lib/dpkg/status": DPKG.encode(),
        f"{SITE}/pip-1.0.dist-info/METADATA": metadata("pip"),
        f"{SITE}/old-1.0.dist-info/METADATA": metadata("old"),
        "etc/passwd": b"root",
    }
    above = {
        f"{SITE}/.wh.pip-1.0.dist-info": b"",
        f"{SITE}/old-1.0.dist-info/METADATA": metadata("new", "License-Expression: MIT OR Zlib"),
        "./runtime/Some_Lib-1.0.dist-info/METADATA": metadata(
            "Some_Lib", "Classifier: License :: OSI Approved :: BSD License"
        ),
        "models/objects/1.2.3/manifest.json": (package / "manifest.json").read_bytes(),
    }
    return image(tmp_path / "image.tar", below, above)


def test_a_bill_names_what_the_last_layer_leaves(archive: Path) -> None:
    told = json.loads(bill(archive))

    assert {(one["name"], one["version"], one.get("purl")) for one in told["components"]} == {
        ("libc6", "2.36-9+deb12u14", "pkg:deb/debian/libc6@2.36-9%2Bdeb12u14?arch=amd64"),
        ("new", "1.0", "pkg:pypi/new@1.0"),
        ("Some_Lib", "1.0", "pkg:pypi/some-lib@1.0"),
        ("objects", "1.2.3", None),
    }
    assert told["metadata"]["component"]["name"] == "localhost/detector"


def test_a_bill_names_terms_as_each_package_does(archive: Path) -> None:
    told = {one["name"]: one.get("licenses") for one in json.loads(bill(archive))["components"]}

    assert told["new"] == [{"expression": "MIT OR Zlib"}]
    assert told["Some_Lib"] == [{"license": {"name": "BSD License"}}]
    assert told["objects"] == [{"license": {"id": "CC0-1.0"}}]


def test_a_bill_is_valid_and_the_same_for_the_same_image(archive: Path) -> None:
    text = bill(archive)

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert bill(archive) == text
