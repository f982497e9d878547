from pathlib import Path

import pytest

from local.cluster import remains
from local.cluster.place import Place


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(remains, "_CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(remains, "_SYSCTL", tmp_path / "sysctl")
    monkeypatch.setattr(remains, "SETTINGS", ("kernel/panic",))
    (tmp_path / "cgroup").mkdir()
    (tmp_path / "cgroup" / "cgroup.controllers").touch()
    (tmp_path / "sysctl" / "kernel").mkdir(parents=True)
    (tmp_path / "sysctl" / "kernel" / "panic").write_text("0\n")
    return tmp_path


def start(place: Place, machine: Path) -> None:
    place.folder.mkdir(parents=True)
    remains.note()
    remains.make_cgroup(place)
    (machine / "sysctl/kernel/panic").write_text("10\n")  # as the kubelet does


def test_nothing_of_a_cluster_remains(machine: Path):
    place = Place("one")
    start(place, machine)
    (machine / "cgroup" / place.cgroup / "kubepods" / "pod1").mkdir(parents=True)

    remains.remove(place)

    assert not place.folder.exists()
    assert not (machine / "cgroup" / place.cgroup).exists()
    assert (machine / "sysctl/kernel/panic").read_text() == "0\n"


def test_the_machines_settings_come_back_with_the_end_of_the_last_cluster(machine: Path):
    one, two = Place("one"), Place("two")
    start(one, machine)
    start(two, machine)

    remains.remove(one)
    assert (machine / "sysctl/kernel/panic").read_text() == "10\n"
    remains.remove(two)
    assert (machine / "sysctl/kernel/panic").read_text() == "0\n"


def test_removing_what_is_not_there_is_all_right(machine: Path):
    remains.remove(Place("never started"))
