"""Answers of two deployments to one photo, compared."""

import json
import math
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.clusters import Cluster, Json, environment, printed

# What differs from call to call.
_OF_ONE_CALL = ("timings", "requestId", "totalSeconds", "seconds", "request_id", "total_seconds")
_CLOSE = 1e-3


def analyze(cluster: Cluster | None, address: str, photo: str) -> Json:
    """What the published client prints for a photo; without a cluster a server of this machine."""
    trilens = str(Path(sys.executable).with_name("trilens"))
    words = (trilens, "analyze", photo, "--json", "--server", address, "--timeout", "60")
    said = cluster.run(*words) if cluster else printed(*words)
    answer: Json = json.loads(said)["response"]
    return answer


@contextmanager
def make_run() -> Iterator[str]:
    """`make run`: everything in one process here; where it answers."""
    command = (sys.executable, "-m", "local")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as going:
        assert going.stdout is not None
        try:
            for line in going.stdout:
                if found := re.match(r"ready on (\S+)", line):
                    yield found[1]
                    return
            raise AssertionError("make run did not become ready")
        finally:
            going.terminate()
            going.stdout.read()


def difference(one: Any, other: Any, where: str = "") -> str:
    """Where two answers say different things; '' if they do not."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = (one.keys() | other.keys()) - set(_OF_ONE_CALL)
        pairs = [(one.get(name), other.get(name), f"{where}.{name}") for name in sorted(names)]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = [(a, b, f"{where}[{n}]") for n, (a, b) in enumerate(zip(one, other, strict=True))]
    elif isinstance(one, float) and isinstance(other, float):
        return "" if math.isclose(one, other, abs_tol=_CLOSE) else f"{where}: {one} and {other}"
    else:
        return "" if one == other else f"{where}: {one} and {other}"
    return next((found for pair in pairs if (found := difference(*pair))), "")
