"""Packages on disk, small ones."""

from pathlib import Path

import pytest

from tests.fakes import write_package


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound detection package, whose network only a fake model can load."""
    return write_package(tmp_path / "objects" / "1.2.3")
