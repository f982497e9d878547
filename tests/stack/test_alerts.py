"""k8s/alerts.yaml, as Prometheus evaluates it: each alert is raised by what it is for, alone."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.harness import ROOT

PROMTOOL = shutil.which("promtool") or ""
RULES = ROOT / "k8s" / "alerts.yaml"

pytestmark = pytest.mark.skipif(not PROMTOOL, reason="there is no promtool")

Series = Mapping[str, str | None]
GATEWAY, OTHER = {"pod": "g1"}, {"pod": "g2"}
MODEL = {"pod": "d1", "model": "objects", "track": "stable"}
STABLE = {**GATEWAY, "lane": "stable"}
FEATURE = {**STABLE, "feature": "objects"}
ALWAYS, NEVER = "1x60", "0x60"


def series(name: str, **labels: str) -> str:
    """As the chart's PodMonitor makes it."""
    labels |= {"namespace": "photos", "app_kubernetes_io_instance": "trilens"}
    return name + "{" + ", ".join(f'{key}="{value}"' for key, value in labels.items()) + "}"


def answers(end: str) -> str:
    return series("trilens_answers_total", **STABLE, completeness=end)


def asked(outcome: str) -> str:
    return series("trilens_feature_seconds_count", **FEATURE, outcome=outcome)


def release(weight: str = "0", canary: str = "", **pod: str) -> str:
    labels = {"revision": "3", "rollout": "", "shadow": "0", "weight": weight, "canary": canary}
    return series("trilens_release_info", **pod, **labels)


IS_GATEWAY = series("trilens_build_info", **GATEWAY, service="gateway")
IS_SERVICE = series("trilens_build_info", pod="d1", service="detector")
GATEWAY_READY, MODEL_READY = series("trilens_ready", **GATEWAY), series("trilens_ready", pod="d1")
GATEWAY_UP = series(
    "up", **GATEWAY, app_kubernetes_io_name="trilens", app_kubernetes_io_component="gateway"
)
ELSEWHERE = 'trilens_build_info{namespace="other", pod="g1", service="gateway"}'
MODEL_UP = series("up", pod="d1", app_kubernetes_io_name="trilens")
SHED = series("trilens_predictions_total", **MODEL, outcome="shed")
BACKLOG = series("trilens_queue_backlog_seconds", **MODEL)
LOST = series("trilens_device_lost", **MODEL)
UNREACHABLE = series(
    "trilens_release_problem", **GATEWAY, document="release", problem="unreachable"
)
USABLE = series("trilens_canary_usable", **GATEWAY)

WELL: Series = {
    **dict.fromkeys((IS_GATEWAY, GATEWAY_UP, GATEWAY_READY, release(**GATEWAY)), ALWAYS),
    **dict.fromkeys((IS_SERVICE, MODEL_UP, MODEL_READY), ALWAYS),
    **dict.fromkeys((SHED, LOST, UNREACHABLE, USABLE), NEVER),
    **dict.fromkeys((answers("failed"), answers("shed"), answers("late")), NEVER),
    answers("full"): "0+600x60",
    answers("partial"): "0+20x60",
    asked("ok"): "0+600x60",
    asked("skipped"): "0+9000x60",
    asked("timed_out"): "0+20x60",
    BACKLOG: "0.4x60",
}
CASES: Mapping[str, tuple[tuple[str, ...], Series]] = {
    "all is well": ((), {}),
    "no gateway is ready": (("NoGateway", "NotReady"), {GATEWAY_READY: NEVER}),
    "gateways crash again and again, elsewhere one does not": (
        ("NoGateway", "NotReady"),
        {GATEWAY_UP: NEVER, GATEWAY_READY: None, IS_GATEWAY: None, ELSEWHERE: ALWAYS},
    ),
    "gateways are not even there": (("NoGateway",), {IS_GATEWAY: None, GATEWAY_READY: None}),
    "nobody calls": ((), {answers("full"): NEVER, answers("partial"): NEVER}),
    "models fail": (("NoAnswers",), {answers("failed"): "0+60x60"}),
    "a few calls find gateways full": (("GatewaySheds",), {answers("shed"): "0+6x60"}),
    "many do": (("GatewaySheds", "NoAnswers"), {answers("shed"): "0+60x60"}),
    "many wait in vain": (("NoAnswers",), {answers("late"): "0+60x60"}),
    "some answers are partial": (("PartialAnswers",), {answers("partial"): "0+60x60"}),
    "a feature is away": (
        ("FeatureAway", "PartialAnswers"),
        {asked("failed"): "0+900x60", answers("partial"): "0+900x60"},
    ),
    "a model is full": (("ModelSheds",), {SHED: "0+6x60"}),
    "a line is long": (("Backlog",), {BACKLOG: "3x60"}),
    "a pod is not ready": (("NotReady",), {MODEL_READY: NEVER}),
    "a pod crashes again and again": (
        ("NotReady",),
        {MODEL_READY: "0 stale _x5 0 stale _x5 0 stale _x50", MODEL_UP: "1 0x5 1 0x5 1 0x50"},
    ),
    "a device is lost": (("DeviceLost", "NotReady"), {MODEL_READY: NEVER, LOST: ALWAYS}),
    "the API server is away": (("ReleaseProblem",), {UNREACHABLE: ALWAYS}),
    "a gateway lags behind": (("ReleasesDiffer",), {release("10", **OTHER): ALWAYS}),
    "a canary has no pod": (
        ("CanaryUnusable",),
        {release(**GATEWAY): None, release("10", "objects=1.1.0", **GATEWAY): ALWAYS},
    ),
    "a canary has no weight yet": (
        (),
        {release(**GATEWAY): None, release("0", "objects=1.1.0", **GATEWAY): ALWAYS},
    ),
}


def promtool(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run((PROMTOOL, *words), capture_output=True, text=True, check=False)


@pytest.mark.parametrize("case", CASES)
def test_what_happens_raises_its_alerts_and_no_others(case: str, tmp_path: Path) -> None:
    raised, changes = CASES[case]
    given = {name: values for name, values in {**WELL, **changes}.items() if values}
    firing = 'count by (alertname) (ALERTS{alertstate="firing"})'
    expected = [{"labels": f'{{alertname="Trilens{name}"}}', "value": 1} for name in raised]
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": key, "values": said} for key, said in given.items()],
                "promql_expr_test": [{"expr": firing, "eval_time": "30m", "exp_samples": expected}],
            }
        ],
    }
    path = tmp_path / "test.yaml"
    path.write_text(json.dumps(test))

    done = promtool("test", "rules", str(path))

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_raised_by_some_case() -> None:
    raised = {f"Trilens{name}" for names, _ in CASES.values() for name in names}

    assert raised == {rule["alert"] for rule in rules()}


def test_queries_of_the_documents_can_be_read() -> None:
    for query in queries():
        done = promtool("promql", "--experimental", "format", query)

        assert done.returncode == 0, f"{query}: {done.stderr}"


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return list(group["rules"])


def queries() -> list[str]:
    text = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    (block,) = re.findall(r"## Useful queries\n+```\n(.*?)```", text, re.DOTALL)
    return [line for line in block.splitlines() if not line.startswith("#")]
