"""What `helm test` runs, against real servers: it passes where it should, or says why not."""

import asyncio
import json
import os
import sys
from contextlib import AsyncExitStack
from typing import Any

import pytest

from chassis.server import serving
from tests.chart.rendering import CHART, Values, render
from tests.fakes import FEATURES as TASKS
from tests.fakes import FakeModel
from tests.harness import LOOPBACK, gateway_app, model_app, server_settings

FEATURES = {"attributes": "classification", "objects": "detection"}


async def check(*words: str) -> tuple[int, str]:
    """How a check ended, and what it said."""
    command = (sys.executable, str(CHART / "files" / "check.py"), *words)
    going = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": "client:."},
    )
    said, _ = await going.communicate()
    return going.returncode or 0, said.decode().strip()


async def services(stack: AsyncExitStack) -> dict[str, Any]:
    """A service for each feature, as the gateway's settings name them."""
    found = {}
    for feature, task in FEATURES.items():
        served = serving(server_settings(), model_app(FakeModel(task)))
        port = (await stack.enter_async_context(served)).grpc
        found[feature] = {"task": task, "target": f"{LOOPBACK}:{port}"}
    return found


async def test_a_photo_is_answered_by_every_feature() -> None:
    app = gateway_app({task: FakeModel(task) for task in TASKS})
    async with serving(server_settings(), app) as ports:
        target = f"{LOOPBACK}:{ports.grpc}"

        assert await check("health", target) == (0, "health: 1 servers are ready")
        code, said = await check("analyze", target, "objects", "captions")
        refusal = await check("canary", target, "objects=2.0.0")

    assert code == 0, said
    assert "objects by" in said
    assert "attributes" not in said
    assert refusal[0] == 1
    assert "no ready pods of {'objects': '2.0.0'}: every call is stable" in refusal[1]


@pytest.mark.stack
async def test_a_feature_that_leads_nowhere_costs_nothing_but_itself() -> None:
    async with AsyncExitStack() as stack:
        features = await services(stack)
        targets = [feature["target"] for feature in features.values()]

        assert (await check("health", *targets)) == (0, "health: 2 servers are ready")
        code, said = await check("partial", json.dumps(features))

    expected = "partial: attributes, objects answered beside one that could not"
    assert (code, said) == (0, expected)


def asked(values: Values) -> dict[str, list[str]]:
    """The words of each check that the chart renders."""
    pods = render(values).of("Pod")
    return {
        name.removeprefix("trilens-test-"): pod["spec"]["containers"][0]["args"]
        for name, pod in pods.items()
    }


def test_what_may_have_no_pod_is_not_asked() -> None:
    zero = {"mode": "keda", "min": 0, "max": 1, "keda": {"trigger": "gateway"}}
    models = {"classifier": {"enabled": False}, "captioner": {"scaling": zero}}

    words = asked({"models": models})

    front = "trilens-gateway:50051"
    assert words["health"] == [front, "dns:///trilens-detector:50051"]
    assert words["analyze"] == [front, "objects"]
    assert list(json.loads(words["partial"][0])) == ["objects"]
    nobody = asked({"models": {**models, "detector": {"replicas": 0}}})
    assert nobody == {"health": [front]}


def test_the_canarys_lane_is_asked_for_where_callers_may_name_it() -> None:
    canary = {"models": {"detector": {"canary": {"version": "2.0.0"}}}}

    assert asked(canary)["canary"] == ["trilens-gateway:50051", "objects=2.0.0"]
    assert "canary" not in asked({**canary, "gateway": {"settings": {"lane_header": False}}})


def test_checks_run_where_the_gateways_may() -> None:
    placed = {"nodeSelector": {"pool": "photos"}, "tolerations": [{"operator": "Exists"}]}
    rendered = render({"podDefaults": placed})

    pods = [*rendered.of("Pod").values(), {"spec": rendered.pod("trilens-gateway")}]
    assert [{name: pod["spec"].get(name) for name in placed} for pod in pods] == [placed] * 4


async def test_a_server_that_is_not_there_is_told_in_a_line() -> None:
    code, said = await check("analyze", f"{LOOPBACK}:1")

    assert (code, said.splitlines()) == (1, [said])
    assert "cannot reach the server" in said
