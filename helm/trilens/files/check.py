"""What `helm test` asks of a release; runs in the gateway's image: `check.py health TARGET...`."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from trilens import Client, explain
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import analysis_pb2_grpc

PHOTO = Path(__file__).with_name("photo.jpg")
SECONDS = 20.0
NOWHERE = "nowhere"


class Failed(Exception):
    """The release does not do what it should; the text says what."""


def health(targets: Sequence[str]) -> str:
    """Every server is ready."""
    for target in targets:
        with grpc.insecure_channel(target) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            request = health_pb2.HealthCheckRequest(service="ready")
            answer = stub.Check(request, timeout=SECONDS, wait_for_ready=True)
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            raise Failed(f"{target} is not ready")
    return f"{len(targets)} servers are ready"


def analyze(targets: Sequence[str]) -> str:
    """A photo is answered by each of these features: `analyze TARGET FEATURE...`."""
    with Client(targets[0]) as client:
        response = client.analyze(PHOTO, features=targets[1:], timeout=SECONDS)
    late = _not_ok(response)
    if response.completeness != pb.COMPLETENESS_FULL:
        raise Failed(f"the answer is not whole: {late}")
    return ", ".join(
        f"{feature} by {outcome.model.name} {outcome.model.version}"
        for feature, outcome in sorted(response.outcomes.items())
    )


def partial(targets: Sequence[str]) -> str:
    """A feature that nobody answers costs its own part alone: `partial FEATURES`.

    The release's gateways are left alone: this one has their features, and one more that leads
    nowhere.
    """
    features = json.loads(targets[0])
    features[NOWHERE] = {"task": "caption", "target": "127.0.0.1:1"}
    names = [name for name, feature in features.items() if feature.get("enabled", True)]
    with a_gateway(features) as target, Client(target) as client:
        response = client.analyze(PHOTO, features=names, timeout=SECONDS)
    states = {feature: outcome.state for feature, outcome in response.outcomes.items()}
    if states.pop(NOWHERE) == pb.STATE_OK or set(states.values()) != {pb.STATE_OK}:
        raise Failed(f"all others should have answered: {_not_ok(response)}")
    return f"{', '.join(sorted(states))} answered beside one that could not"


def canary(targets: Sequence[str]) -> str:
    """The canary lane answers with the canary's versions: `canary TARGET FEATURE=VERSION...`."""
    expected = dict(word.split("=") for word in targets[1:])
    with Client(targets[0]) as client:
        response = analysis_pb2_grpc.ImageAnalysisServiceStub(client.channel).AnalyzeImage(
            pb.AnalyzeImageRequest(
                image={"content": PHOTO.read_bytes()},
                features=[{"feature": feature} for feature in expected],
            ),
            timeout=SECONDS,
            metadata=(("trilens-lane", "canary"),),
        )
    if response.lane != "canary":
        raise Failed(f"the gateway sees no ready pods of {expected}: every call is stable")
    found = {feature: response.outcomes[feature].model.version for feature in expected}
    if found != expected:
        raise Failed(f"the canary lane answers with {found}, not {expected}: {_not_ok(response)}")
    return f"the canary lane answers with {found}"


@contextmanager
def a_gateway(features: dict[str, Any]) -> Iterator[str]:
    """A gateway of one's own, by its target."""
    settings = {"HOST": "127.0.0.1", "PORT": "0", "HEALTH_PORT": "0", "METRICS_PORT": "0"}
    with TemporaryDirectory() as folder:
        ports = Path(folder) / "ports.json"
        settings |= {"PORTS_FILE": str(ports), "FEATURES": json.dumps(features)}
        ours = {f"TRILENS_{name}": value for name, value in settings.items()}
        with subprocess.Popen((sys.executable, "-m", "gateway"), env=os.environ | ours) as gateway:
            try:
                ends = time.monotonic() + SECONDS
                while not ports.exists():
                    if gateway.poll() is not None or time.monotonic() > ends:
                        raise Failed("a gateway of this image does not start")
                    time.sleep(0.05)
                target = f"127.0.0.1:{json.loads(ports.read_text())['grpc']}"
                health([target])
                yield target
            finally:
                gateway.terminate()


def _not_ok(response: pb.AnalyzeImageResponse) -> str:
    return "; ".join(
        f"{feature} {pb.State.Name(outcome.state)} {outcome.status.message}".strip()
        for feature, outcome in sorted(response.outcomes.items())
        if outcome.state != pb.STATE_OK
    )


def main(words: Sequence[str]) -> int:
    """Runs one check and says how it ended."""
    checks = {check.__name__: check for check in (health, analyze, partial, canary)}
    try:
        said = checks[words[0]](words[1:])
    except Failed as failure:
        said, code = str(failure), 1
    except grpc.RpcError as error:
        said, code = str(explain(error)), 1
    else:
        code = 0
    sys.stdout.write(f"{words[0]}: {said}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
