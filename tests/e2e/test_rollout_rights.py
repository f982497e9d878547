"""Rollouts with no more rights than the role for them gives: k8s/rollout-role.yaml."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.e2e.clusters import Json, until
from tests.e2e.releases import Release
from tests.e2e.rollouts import Rollout

NAMESPACE = "rights"
CANARY = "detector=1.1.0"
ROLE = Path("k8s/rollout-role.yaml")
RBAC = "rbac.authorization.k8s.io"


@pytest.fixture(scope="module")
def account(release: Release, folder: Path) -> Callable[[str, Json], Rollout]:
    """The tool as a service account of that name, with that role and nothing else."""

    def account(name: str, role: Json) -> Rollout:
        about = {"name": name, "namespace": NAMESPACE}
        binding = {
            "apiVersion": f"{RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": about,
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", **about}],
        }
        user = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": about}
        for content in (user, {**role, "metadata": about}, binding):
            release.kubectl("create", "--filename=-", content=content)
        token = release.kubectl("create", "token", name, "--duration=1h").strip()
        file = folder / f"{name}.kubeconfig"
        file.write_text(yaml.safe_dump(as_account(release, name, token)))
        return Rollout(release, kubeconfig=str(file))

    return account


def as_account(release: Release, name: str, token: str) -> Json:
    """A kubeconfig of this cluster for who has nothing but a token."""
    words = ("config", "view", "--raw", "--minify", "--output=json")
    config: Json = json.loads(release.cluster.kubectl(*words))
    (context,) = config["contexts"]
    context["context"] |= {"user": name, "namespace": NAMESPACE}
    return config | {"users": [{"name": name, "user": {"token": token}}]}


def test_the_role_is_enough_for_a_whole_rollout_and_for_the_way_back(
    account: Callable[[str, Json], Rollout], release: Release
):
    rollout = account("pipeline", yaml.safe_load(ROLE.read_text()))
    before = release.document()

    for words in (("start", CANARY, "--manual"), ("step",), ("abort",)):
        told = rollout.run(*words)
        assert told.code == 0, told.text
    until(lambda: release.pods("detector", "canary") == [])
    assert release.document() == before

    for words in (("start", CANARY, "--manual", "--steps", "50"), ("promote",)):
        told = rollout.run(*words)
        assert told.code == 0, told.text
    until(lambda: release.pods("detector", "canary") == [])
    assert release.document()["stable"] == {"objects": {"version": "1.1.0"}}
    assert rollout.status()["weight"] == 0


def test_its_first_rules_are_enough_to_look_and_for_no_change(
    account: Callable[[str, Json], Rollout], release: Release, folder: Path
):
    role = yaml.safe_load(ROLE.read_text())
    looker = account("looker", {**role, "rules": role["rules"][:3]})

    looking = Rollout(
        release, options=("--gitops", str(folder / "f.yaml")), kubeconfig=looker.kubeconfig
    )
    assert looking.weights() == {0.0}
    assert looking.status()["stable"] == {"detector": [2, 2]}
    refused = looker.run("start", CANARY, "--manual")
    assert refused.code == 6
    assert "forbidden" in refused.text
