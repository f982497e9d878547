"""Load that goes on beside a test: started in the cluster's network, counted when it has ended."""

import json
import math
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.cluster.alone import alone
from tests.e2e.clusters import Cluster, until

# Before others on the machine: a clock that is late would send too little.
_LOAD = ("nice", "-n", "-10", sys.executable, "-m", "tests.e2e.load")
_ENDS_WITHIN_SECONDS = 40

RATE = 100
# Somewhat less than asked for: the sender shares the machine with all that it asks.
LEAST_RATE = 95


@dataclass(frozen=True)
class Calls:
    """What became of calls; those that began within a time if one is asked for."""

    lines: Sequence[Mapping[str, Any]]

    def since(self, moment: float) -> "Calls":
        """Those that began after that moment of time.time()."""
        return Calls([line for line in self.lines if line["at"] >= moment])

    @property
    def failed(self) -> list[Mapping[str, Any]]:
        """Those that ended with an error."""
        return [line for line in self.lines if line["code"] != "OK"]

    @property
    def partial(self) -> list[Mapping[str, Any]]:
        """Those that ended without an error and lack a feature."""
        return [line for line in self.lines if "partial" in line]

    @property
    def troubled(self) -> list[Mapping[str, Any]]:
        """Those that were not answered in full."""
        return [*self.failed, *self.partial]

    @property
    def codes(self) -> Mapping[str, int]:
        """How many ended with each code."""
        return Counter(line["code"] for line in self.lines)

    @property
    def lanes(self) -> Mapping[str, int]:
        """How many met each lane."""
        return Counter(line["lane"] for line in self.lines if "lane" in line)

    def lanes_of_callers(self) -> Mapping[int, set[str]]:
        """The lanes that each caller met."""
        met: dict[int, set[str]] = {}
        for line in self.lines:
            if "lane" in line:
                met.setdefault(line["caller"], set()).add(line["lane"])
        return met

    def versions(self, feature: str) -> set[str]:
        """The versions that answered a feature."""
        return {line["versions"][feature] for line in self.lines if feature in line["versions"]}

    @property
    def rate(self) -> float:
        """Calls per second."""
        begun = [line["at"] for line in self.lines]
        return (len(begun) - 1) / (max(begun) - min(begun)) if len(begun) > 1 else math.nan

    def told(self) -> Mapping[str, Any]:
        """For the report."""
        took = sorted(line["took"] for line in self.lines)
        return {
            "calls": len(self.lines),
            "per_second": round(self.rate, 1),
            "failed": len(self.failed),
            "partial": len(self.partial),
            "codes": dict(self.codes),
            "lanes": dict(self.lanes),
            "p50_ms": round(1000 * took[len(took) // 2], 1) if took else None,
            "p99_ms": round(1000 * took[int(0.99 * len(took))], 1) if took else None,
        }


class Load:
    """Load that goes on."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lines: list[Mapping[str, Any]] = []
        self._read = 0  # bytes: what was read before is not read again

    def so_far(self) -> Calls:
        """The calls that have ended."""
        with self._file.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if line.endswith(b"\n"):  # else it is being written
                    self._lines.append(json.loads(line))
                    self._read += len(line)
        return Calls(tuple(self._lines))


@contextmanager
def loading(cluster: Cluster, target: str, file: Path, *words: str) -> Iterator[Load]:
    """Calls go out within the block; the last ones have ended when it is left.

    The first that counts comes once one was answered in full.
    """
    load = Load(file)
    with (
        _turn(words),
        cluster.spawn(*_LOAD, target, str(file), "--settle", *words) as sender,
    ):
        try:
            until(lambda: file.exists() and load.so_far().codes.get("OK", 0) > 0)
            yield load
        finally:
            _stop(sender)


def calls(cluster: Cluster, target: str, file: Path, *words: str) -> Calls:
    """Sends calls, a few at a time, and returns once all have ended; the words say how many."""
    with cluster.spawn(*_LOAD, target, str(file), "--at-most=8", *words) as sent:
        assert sent.wait() == 0
    return Load(file).so_far()


def all_answered(found: Calls) -> bool:
    """Whether each call was answered in full, and as many came as were to come."""
    assert [*found.failed[:3], *found.partial[:3]] == []
    assert found.rate >= LEAST_RATE
    return True


def rest(seconds: float) -> None:
    """Lets calls go on for a while: what is awaited is that nothing happens to them."""
    time.sleep(seconds)


def _turn(words: Sequence[str]) -> AbstractContextManager[None]:
    # Two full loads beside each other are more than two cores answer: workers take turns.
    rates = [float(word.removeprefix("--rate=")) for word in words if word.startswith("--rate=")]
    return alone("full load") if max(rates, default=RATE) >= RATE else nullcontext()


def _stop(sender: "subprocess.Popen[bytes]") -> None:
    sender.send_signal(signal.SIGTERM)
    try:
        code = sender.wait(_ENDS_WITHIN_SECONDS)
    except subprocess.TimeoutExpired:
        sender.kill()
        raise
    assert code == 0, "the load ended by itself"
