"""Images of packages: of sound ones only, named as the package names itself."""

from pathlib import Path

import pytest

from local.cluster import oci, product
from services.packages import InvalidPackage
from tests.fakes import write_package


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_an_image_of_a_package_is_named_as_the_package_is(tmp_path: Path):
    file = product.package(write_package(tmp_path / "anywhere"))

    assert oci.names(file) == ("localhost/trilens/packages/objects:1.2.3",)


def test_no_image_is_made_of_a_package_that_is_not_whole(tmp_path: Path):
    folder = write_package(tmp_path / "anywhere")
    (folder / "network.onnx").write_bytes(b"another")

    with pytest.raises(InvalidPackage, match=r"network\.onnx: SHA-256 is"):
        product.package(folder)
