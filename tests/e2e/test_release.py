"""How a release reaches a gateway through a real API server, with the rights that it has there."""

import base64
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clusters import Cluster, Json, namespace, until

NAMESPACE = "release"
RELEASE, OVERLAY = "trilens-release", "trilens-rollout"
ACCOUNT = "gateway"
SECONDS = 5.0  # within which new weights count, as promised


def objects() -> list[Json]:
    """The gateway's ServiceAccount, and what it may: see two objects, by name."""
    rule = {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": [RELEASE, OVERLAY],
        "verbs": ["get", "watch"],
    }
    about = {"name": ACCOUNT, "namespace": NAMESPACE}
    rbac = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": about},
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": about, "rules": [rule]},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": about,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": ACCOUNT},
            "subjects": [{"kind": "ServiceAccount", **about}],
        },
    ]


class Followed:
    """A release on the cluster, and a process that follows it as a gateway does."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.account = folder / "account"
        self.account.mkdir()
        self.out = folder / "taken"
        self._revision = 0
        config = json.loads(cluster.kubectl("config", "view", "--raw", "--minify", "-o", "json"))
        self.url = config["clusters"][0]["cluster"]["server"]
        here = config["clusters"][0]["cluster"]
        if "certificate-authority-data" in here:
            authority = base64.b64decode(here["certificate-authority-data"])
        else:
            authority = Path(here["certificate-authority"]).read_bytes()
        (self.account / "ca.crt").write_bytes(authority)

    def token(self) -> None:
        """Writes a fresh token, as the kubelet does."""
        made = self.cluster.kubectl("create", "token", ACCOUNT, "-n", NAMESPACE)
        (self.account / "token").write_text(made)

    def apply(self, *made: Json) -> None:
        for one in made:
            self.cluster.kubectl("apply", "-f", "-", content=one)

    def release(self, weight: float) -> Json:
        """A new revision."""
        self._revision += 1
        document = {
            "schema": 1,
            "revision": self._revision,
            "weight": weight,
            "shadow": 0,
            "stable": {"objects": {"version": "1.0.0"}},
            "canary": {"objects": {"version": "1.1.0", "target": "dns:///nobody:50051"}},
        }
        return self._put(RELEASE, "release.json", document)

    def overlay(self, release: Json, weight: float) -> None:
        """A rollout's step over that state of the release."""
        about = release["metadata"]
        document = {
            "schema": 1,
            "rollout": "r1",
            "uid": about["uid"],
            "resource_version": about["resourceVersion"],
            "weight": weight,
            "shadow": 0,
        }
        self._put(OVERLAY, "overlay.json", document)

    def lines(self) -> list[dict[str, Any]]:
        """What was taken so far."""
        if not self.out.exists():
            return []
        return [json.loads(line) for line in self.out.read_text().splitlines() if line]

    def weight(self, weight: float, seconds: float = 30) -> float:
        """Waits until that weight counts; when it did."""
        until(lambda: [one["weight"] for one in self.lines()][-1:] == [weight], seconds)
        return float(self.lines()[-1]["at"])

    def reachable(self) -> bool:
        """Whether the API server answers."""
        try:
            return "ok" in self.cluster.kubectl("get", "--raw", "/readyz")
        except AssertionError:
            return False

    def _put(self, name: str, key: str, document: Json) -> Json:
        about = {"name": name, "namespace": NAMESPACE}
        data = {key: json.dumps(document)}
        self.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": data})
        return self.cluster.get("configmap", name, "-n", NAMESPACE)


@pytest.fixture
def followed(cluster: Cluster, tmp_path: Path) -> Iterator[Followed]:
    made = Followed(cluster, tmp_path)
    made.apply(namespace(NAMESPACE), *objects())
    made.token()
    made.release(10)
    words = (made.url, str(made.account), f"{NAMESPACE}/{RELEASE}", OVERLAY, str(made.out))
    with cluster.spawn(sys.executable, "-m", "tests.e2e.watching", *words):
        made.weight(10, seconds=60)
        yield made
    cluster.kubectl("delete", "namespace", NAMESPACE)


def test_weights_of_releases_and_overlays_count_within_seconds(
    followed: Followed, note: Callable[..., None]
) -> None:
    took: list[float] = []
    for number in range(5):
        began = time.time()
        release = followed.release(20 + number)
        took.append(followed.weight(20 + number) - began)

        began = time.time()
        followed.overlay(release, 50 + number)
        took.append(followed.weight(50 + number) - began)

    note(longest_seconds=round(max(took), 2), changes=len(took))
    assert max(took) < SECONDS


def test_a_release_that_is_written_again_voids_the_overlay_whatever_its_weight(
    followed: Followed,
) -> None:
    release = followed.release(30)
    followed.overlay(release, 50)
    followed.weight(50)

    followed.release(30)  # such as helm rollback to the weights before
    followed.weight(30)
    assert followed.lines()[-1]["rollout"] == ""


def test_an_overlay_that_is_deleted_counts_no_more(followed: Followed) -> None:
    followed.overlay(followed.release(30), 50)
    followed.weight(50)

    followed.cluster.kubectl("delete", "configmap", OVERLAY, "-n", NAMESPACE)
    followed.weight(30)


@pytest.mark.own
def test_an_api_server_that_was_away_is_followed_again(
    followed: Followed, note: Callable[..., None]
) -> None:
    followed.cluster.do("stop", "kube-apiserver")
    followed.cluster.do("start", "kube-apiserver")
    until(followed.reachable, seconds=120)

    began = time.time()
    followed.release(40)
    took = followed.weight(40) - began
    note(seconds=round(took, 2))
    assert took < SECONDS


def test_a_token_that_is_no_longer_good_is_read_anew(followed: Followed) -> None:
    # The account that comes after it is another one: the old token ends with the first.
    followed.cluster.kubectl("delete", "serviceaccount", ACCOUNT, "-n", NAMESPACE)
    followed.apply(objects()[0])
    followed.token()
    followed.release(45)

    followed.weight(45, seconds=90)  # the watch that runs may go on until its minute is over
