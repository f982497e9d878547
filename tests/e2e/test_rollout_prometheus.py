"""Rollouts that read Prometheus, a real one, instead of every pod's own page.

It is what `E2E_PROMETHEUS` names, or the `prometheus` of this machine; without one nothing is run.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import URLError

import pytest
import yaml

from tests.e2e.clusters import Cluster, until
from tests.e2e.loading import loading
from tests.e2e.releases import Release
from tests.e2e.rollouts import Rollout, comparison

PROMETHEUS = os.environ.get("E2E_PROMETHEUS") or shutil.which("prometheus") or ""

pytestmark = [pytest.mark.own, pytest.mark.skipif(not PROMETHEUS, reason="there is no prometheus")]

NAMESPACE = "prometheus"
ADDRESS = "127.0.0.1:19090"
STABLE, SAME, OTHER = "1.0.0", "1.1.0", "1.2.0"
QUICK = ("--without", "accuracy", "--calls", "60", "--shadow", "50", "--steps", "25,50")
RATE = "--rate=30"


def scraping(cluster: Cluster) -> str:
    """What the Prometheus operator makes of the chart's PodMonitor, more often."""
    meta = "__meta_kubernetes"
    labels = f"{meta}_pod_label_app_kubernetes_io_instance"

    def copied(source: str, target: str) -> dict[str, object]:
        return {"source_labels": [source], "target_label": target}

    job = {
        "job_name": f"podMonitor/{NAMESPACE}/trilens",
        "scrape_interval": "2s",
        "kubernetes_sd_configs": [
            {
                "role": "pod",
                "kubeconfig_file": cluster.run("printenv", "KUBECONFIG").strip(),
                "namespaces": {"names": [NAMESPACE]},
            }
        ],
        "relabel_configs": [
            {"source_labels": [labels], "regex": "trilens", "action": "keep"},
            {
                "source_labels": [f"{meta}_pod_container_port_name"],
                "regex": "metrics",
                "action": "keep",
            },
            copied(f"{meta}_namespace", "namespace"),
            copied(f"{meta}_pod_container_name", "container"),
            copied(f"{meta}_pod_name", "pod"),
            {"target_label": "endpoint", "replacement": "metrics"},
        ],
    }
    return yaml.safe_dump({"scrape_configs": [job]})


@pytest.fixture(scope="module")
def prometheus(cluster: Cluster, release: Release, folder: Path) -> Iterator[str]:
    """Its URL, once it has pages of the pods."""
    config = folder / "prometheus.yaml"
    config.write_text(scraping(cluster))
    words = (f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}")
    url = f"http://{ADDRESS}"
    asked = f"{url}/api/v1/query?query=count(trilens_release_info)"
    with cluster.spawn(PROMETHEUS, *words, f"--web.listen-address={ADDRESS}", "--log.level=warn"):
        until(lambda: '"2"' in answer(cluster, asked), seconds=120)
        yield url


def answer(cluster: Cluster, url: str) -> str:
    """What is answered there; empty while nothing is."""
    code = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read().decode())"
    try:
        return cluster.run("python3", "-c", code, url)
    except (AssertionError, URLError):
        return ""


@pytest.mark.parametrize(("version", "code"), [(SAME, 0), (OTHER, 1)])
def test_what_prometheus_has_scraped_tells_a_good_canary_from_a_bad_one(
    rollout: Rollout,
    release: Release,
    prometheus: str,
    folder: Path,
    note: Callable[..., None],
    version: str,
    code: int,
):
    compared = ("--comparison", comparison(folder, STABLE, version))
    begun = time.time()
    with (
        release.door() as address,
        loading(release.cluster, address, folder / version, RATE) as load,
    ):
        words = ("--prometheus", prometheus, *QUICK, *compared)
        told = rollout.run("start", f"detector={version}", *words)
    calls = load.so_far()

    note(seconds=round(time.time() - begun, 1), why=rollout.status()["reason"], **calls.told())
    assert told.code == code, told.text
    assert ("agreement objects boxes" in rollout.status()["reason"]) == (version == OTHER)
    assert calls.failed == calls.partial == []
