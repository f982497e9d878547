import os
import subprocess
import sys

import pytest

from local.cluster.place import Living, Place

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="clusters are for Linux")


@pytest.fixture
def place(tmp_path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    place = Place("one")
    place.folder.mkdir(parents=True)
    return place


def test_a_cluster_that_was_never_started_does_not_live(place: Place):
    assert Living.read(place) is None


def test_a_cluster_lives_as_long_as_its_first_process(place: Place):
    with subprocess.Popen((sys.executable, "-c", "input()"), stdin=subprocess.PIPE) as first:
        living = Living.of(first.pid)
        assert living is not None
        living.write(place)
        assert Living.read(place) == living
        first.kill()
        first.wait()
        assert Living.read(place) is None


def test_another_process_with_the_same_number_is_not_taken_for_the_cluster(place: Place):
    this = Living.of(os.getpid())
    assert this is not None
    Living(this.pid, this.started - 1).write(place)

    assert Living.read(place) is None


def test_a_process_that_has_ended_but_was_not_waited_for_does_not_live():
    ended = subprocess.Popen((sys.executable, "-c", ""))
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)

    assert Living.of(ended.pid) is None
    ended.wait()


def test_two_clusters_share_neither_folder_nor_cgroup(place: Place):
    other = Place("two")

    assert other.folder != place.folder
    assert other.cgroup != place.cgroup
