"""Memory that is kept, counted in a process of its own: pages that the system had to clear."""

import platform
import subprocess
import sys

import pytest

from tests.harness import ROOT

ROUNDS = 20
# What an interpreter does that answers calls with photos: some buffers at once, then none.
PHOTOS = f"""
import resource
from chassis.memory import keep_memory
keep_memory()
def photos():
    return len([bytes([number]) * 1_200_000 for number in range(8)])
photos()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({ROUNDS}):
    photos()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other libraries have no such limits")
def test_the_memory_of_one_photo_is_there_for_the_next() -> None:
    ended = subprocess.run(
        (sys.executable, "-c", PHOTOS), cwd=ROOT, capture_output=True, text=True, check=True
    )

    # Mapped anew, each round would cost more than 2,000 of them.
    assert int(ended.stdout) < 100 * ROUNDS
