"""Signs of life: given by real processes that end in order, are killed, or leave a child behind."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rollout.sign import Sign, is_gone, remove
from tests.harness import ROOT

GIVER = """\
import subprocess, sys
from rollout.sign import Sign

sign = Sign()
with sign.given():
    helm = "0"
    if sys.argv[1:] == ["with helm"]:
        files = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
        helm = str(subprocess.Popen(["sleep", "60"], pass_fds=sign.files, **files).pid)
    print(sign.name, helm, flush=True)
    sys.stdin.read()
"""


@contextmanager
def giver(*words: str) -> Iterator[tuple["subprocess.Popen[str]", str, int]]:
    """A process that gives a sign until told to end; with its sign, and its child's number."""
    with subprocess.Popen(
        (sys.executable, "-c", GIVER, *words),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        name, helm = process.stdout.readline().split()
        try:
            yield process, name, int(helm)
        finally:
            process.kill()
            process.wait()
            remove(name)


def test_who_gives_a_sign_is_not_gone():
    with giver() as (_, name, _):
        assert not is_gone(name)


def test_who_was_killed_is_gone_until_the_sign_is_removed():
    with giver() as (process, name, _):
        process.kill()
        process.wait()

        assert is_gone(name)
        assert is_gone(name)
        remove(name)
        assert not is_gone(name)
        assert not Path(tempfile.gettempdir(), name).exists()


def test_who_was_killed_is_not_gone_while_a_helm_of_theirs_goes_on():
    with giver("with helm") as (process, name, helm):
        process.kill()
        process.wait()
        while_it_goes_on = is_gone(name)
        os.kill(helm, signal.SIGKILL)

        assert not while_it_goes_on
        limit = time.monotonic() + 30
        while not is_gone(name):  # the kernel ends it in its own time
            assert time.monotonic() < limit


def test_who_ended_in_order_leaves_no_sign():
    with giver() as (process, name, _):
        process.communicate()

        assert process.returncode == 0
        assert not Path(tempfile.gettempdir(), name).exists()


def test_of_a_sign_that_was_not_given_here_nothing_is_known():
    assert not is_gone("trilens-sign-elsewhere")
    assert not is_gone("")


def test_a_name_that_is_no_signs_is_not_looked_at(tmp_path: Path):
    other = tmp_path / "other"
    other.touch()

    assert not is_gone(str(other))
    remove(str(other))
    assert other.exists()


def test_between_two_times_there_is_no_sign():
    sign = Sign()
    assert sign.files == ()
    with sign.given():
        assert sign.files
    assert sign.files == ()
