"""A Deployment's replicas over a time, from a watch: no moment of it is missed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.clusters import until
from tests.e2e.releases import Release

# An empty number is the API's way to say none.
_COLUMNS = r"{.spec.replicas},{.status.readyReplicas}{\"\n\"}"


@dataclass(frozen=True)
class Replicas:
    """What was seen of them so far."""

    file: Path

    @property
    def wanted(self) -> list[int]:
        """How many there should be, at each change of the Deployment."""
        return [wanted for wanted, _ in self._seen()]

    @property
    def ready(self) -> list[int]:
        """How many of them were ready."""
        return [ready for _, ready in self._seen()]

    def _seen(self) -> list[tuple[int, int]]:
        lines = self.file.read_text().splitlines(keepends=True)
        pairs = (line.strip().split(",") for line in lines if line.endswith("\n"))
        return [(int(wanted or 0), int(ready or 0)) for wanted, ready in pairs]


@contextmanager
def watched(release: Release, component: str, file: Path) -> Iterator[Replicas]:
    """Watches a component's replicas within the block."""
    name = f"{release.fullname}-{component}"
    watch = f'kubectl get deployment {name} -n {release.namespace} --watch -o jsonpath="{_COLUMNS}"'
    seen = Replicas(file)
    with release.cluster.spawn("sh", "-c", f"exec {watch} > {file}"):
        until(lambda: file.exists() and bool(seen.ready))
        yield seen
