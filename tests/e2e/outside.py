"""The cluster of the current kube context, for tests that need nothing but kubectl and helm."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.clusters import Cluster


class Outside(Cluster):
    """A cluster that others started: kind, minikube, a real one."""

    own = False

    def do(self, *words: str, **_: object) -> str:
        raise AssertionError(f"{words}: only a cluster of this machine can do that")

    @contextmanager
    def door(self, namespace: str, service: str, port: int = 50051) -> Iterator[str]:
        """Through kubectl: nothing here reaches its pods."""
        command = ("kubectl", "port-forward", "-n", namespace, f"service/{service}", f":{port}")
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as forwarding:
            try:
                assert forwarding.stdout is not None
                found = re.search(r"127\.0\.0\.1:\d+", forwarding.stdout.readline())
                assert found, "kubectl forwards no port"
                yield found[0]
            finally:
                forwarding.terminate()

    def _within(self, *words: str) -> tuple[str, ...]:
        return words
