"""Bills of materials: `python -m local.sbom ARCHIVE...` writes ARCHIVE.cdx.json beside each.

They are read from the image itself: Debian's packages, Python's, and the model packages in it. What
a wheel carries inside, such as OpenCV's FFmpeg, is in that package's own notices.
"""

import hashlib
import json
import posixpath
import re
import sys
import tarfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from email.message import Message
from email.parser import BytesParser, Parser
from pathlib import Path
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

_READ: Final = re.compile(
    r"var/lib/dpkg/status|.*\.dist-info/METADATA|models/[^/]+/[^/]+/manifest\.json"
)
_REMOVED: Final = ".wh."  # how a layer names what it takes away from those below
_LONGEST: Final = 100  # of a licence's name; some packages put its whole text there

Files = Mapping[str, bytes]


def bill(archive: Path) -> str:
    """The bill of materials of the one image in an OCI archive: CycloneDX 1.6, as JSON."""
    with tarfile.open(archive) as blobs:
        (entry,) = _json(blobs, "index.json")["manifests"]
        manifest = _json(blobs, _path(entry))
        config = _json(blobs, _path(manifest["config"]))
        files = _files(blobs, [_path(layer) for layer in manifest["layers"]])
    name, _, version = entry["annotations"]["org.opencontainers.image.ref.name"].rpartition(":")
    image = Component(
        name=name, version=version, type=ComponentType.CONTAINER, bom_ref=entry["digest"]
    )
    bom = Bom(
        metadata=BomMetaData(component=image, timestamp=datetime.fromisoformat(config["created"])),
        # The same image, the same bill.
        serial_number=uuid5(NAMESPACE_URL, entry["digest"]),
        components=[*_of_debian(files), *_of_python(files), *_models(files)],
    )
    bom.register_dependency(image, bom.components)
    return JsonV1Dot6(bom).output_as_string(indent=1) + "\n"


def main(archives: list[str]) -> None:
    """Writes the bill of each."""
    for archive in map(Path, archives):
        file = archive.with_suffix(".cdx.json")
        file.write_text(bill(archive))
        print(file)


def _files(blobs: tarfile.TarFile, layers: list[str]) -> Files:
    """What the bill is read from, as the last layer leaves it."""
    files: dict[str, bytes] = {}
    for layer in layers:
        with tarfile.open(fileobj=blobs.extractfile(layer)) as content:
            for member in content:
                path = posixpath.normpath(member.name).lstrip("/")
                folder, name = posixpath.split(path)
                if name.startswith(_REMOVED):
                    gone = posixpath.join(folder, name.removeprefix(_REMOVED))
                    for one in [one for one in files if one == gone or one.startswith(f"{gone}/")]:
                        del files[one]
                elif member.isreg() and _READ.fullmatch(path):
                    files[path] = _content(content, member)
    return files


def _of_debian(files: Files) -> Iterator[Component]:
    text = files.get("var/lib/dpkg/status", b"").decode()
    for paragraph in filter(None, text.split("\n\n")):
        package = Parser().parsestr(paragraph)
        if package["Status"] == "install ok installed":
            name, version = str(package["Package"]), str(package["Version"])
            qualifiers = {"arch": str(package["Architecture"])}
            purl = PackageURL("deb", "debian", name, version, qualifiers)
            yield Component(name=name, version=version, purl=purl, bom_ref=purl.to_string())


def _of_python(files: Files) -> Iterator[Component]:
    for path in sorted(path for path in files if path.endswith("METADATA")):
        package = BytesParser().parsebytes(files[path], headersonly=True)
        name, version = str(package["Name"]), str(package["Version"])
        purl = PackageURL("pypi", None, name.lower().replace("_", "-"), version)
        licenses = [LicenseFactory().make_from_string(text) for text in _licenses(package)]
        yield Component(
            name=name, version=version, purl=purl, bom_ref=f"{purl}#{path}", licenses=licenses
        )


def _licenses(package: Message) -> Iterator[str]:
    said = package["License-Expression"] or package["License"] or ""
    if 0 < len(said) < _LONGEST and "\n" not in said:
        yield said
        return
    for line in package.get_all("Classifier", []):
        if line.startswith("License ::"):
            yield line.rpartition(":: ")[2]


def _models(files: Files) -> Iterator[Component]:
    for path in sorted(path for path in files if path.endswith("manifest.json")):
        manifest = json.loads(files[path])
        digest = hashlib.sha256(files[path]).hexdigest()
        yield Component(
            name=manifest["name"],
            version=manifest["version"],
            type=ComponentType.MACHINE_LEARNING_MODEL,
            description=manifest["summary"],
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
            licenses=[LicenseFactory().make_from_string(manifest["license"]["id"])],
            bom_ref=f"model:{digest}",
        )


def _path(described: Mapping[str, Any]) -> str:
    return f"blobs/{described['digest'].replace(':', '/')}"


def _json(files: tarfile.TarFile, name: str) -> Any:
    return json.loads(_content(files, files.getmember(name)))


def _content(files: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    found = files.extractfile(member)
    assert found is not None  # noqa: S101 - it is a file
    return found.read()


if __name__ == "__main__":
    main(sys.argv[1:])
