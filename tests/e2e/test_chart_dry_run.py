"""Every case of the chart before a real API server, which changes nothing but checks all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chart.rendering import CASES, needs, render
from tests.e2e.clusters import Cluster
from tests.e2e.releases import strict_namespace

NAMESPACE = "photos"


@pytest.fixture(scope="module")
def place(cluster: Cluster) -> Iterator[Cluster]:
    with strict_namespace(cluster, NAMESPACE):
        yield cluster


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_api_server_takes_every_object(place: Cluster, case: Path):
    kinds = needs(case, "needs")
    foreign = {kind.rpartition("/")[2] for kind in kinds}
    rendered = render(files=[case], kinds=kinds)
    # Addons need not be installed; their kinds are checked against their own schemas elsewhere.
    ours = [one for one in rendered.objects if one["kind"] not in foreign]
    whole = {"apiVersion": "v1", "kind": "List", "items": ours}

    said = place.kubectl(
        *("create", "--dry-run=server", "--validate=strict", "--namespace", NAMESPACE),
        "--filename=-",
        content=whole,
    )

    assert len(said.splitlines()) == len(ours)
