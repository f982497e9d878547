"""The manifests for those without Helm, and those beside the chart."""

import re
from pathlib import Path

import pytest
import yaml

from local.chart import quickstart
from tests.chart.rendering import helm, render

PLAIN = sorted(Path("k8s").glob("*.yaml"))


def test_the_quick_start_is_what_the_chart_renders():
    helm()

    assert quickstart.FILE.read_text() == quickstart.text(), "make quickstart"


def test_the_quick_start_says_nothing_of_helm():
    things = list(yaml.safe_load_all(quickstart.FILE.read_text()))

    assert things[0]["kind"] == "Namespace"
    assert {one["metadata"]["namespace"] for one in things[1:]} == {"trilens"}
    assert "helm.sh" not in quickstart.FILE.read_text()


@pytest.mark.parametrize("file", PLAIN, ids=lambda file: file.name)
def test_each_file_beside_the_chart_is_whole(file: Path):
    assert all(one for one in yaml.safe_load_all(file.read_text()))


def test_alerts_go_by_labels_that_the_charts_pod_monitor_gives():
    monitor = render({"podMonitor": {"enabled": True}}).one("PodMonitor", "trilens")
    given = {re.sub(r"\W", "_", label) for label in monitor["spec"]["podTargetLabels"]}

    assert set(re.findall(r"app_kubernetes_io_\w+", Path("k8s/alerts.yaml").read_text())) <= given
