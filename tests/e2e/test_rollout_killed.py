"""Rollouts that are killed: wherever it happens, they go on, or everything is as before."""

from pathlib import Path

import pytest

from tests.e2e.clusters import until
from tests.e2e.releases import Release
from tests.e2e.rollouts import Rollout

NAMESPACE = "killed"
CANARY = "detector=1.1.0"
# What the tool says before it does something.
ACTIONS = ("upgrade:", "scale:", "weigh:", "clear:", "rollback:", "sweep:")
# Kills the tool and Helm, once, when Helm has noted what it is about to do and not that it is done.
# Helm stands still while that is looked up, since else it may be done before the answer is there.
HELM = """\
#!/bin/sh
pending() {{
    {kubectl} get secrets --namespace {namespace} --output name \
        --selector 'owner=helm,status in (pending-upgrade,pending-rollback)'
}}
if mv {folder}/spared {folder}/passed 2>/dev/null; then exec {helm} "$@"; fi
if mv {folder}/armed {folder}/fired 2>/dev/null; then
    before=$(pending)  # of those that were killed before
    {helm} "$@" &
    child=$!
    while kill -STOP $child 2>/dev/null; do
        for one in $(pending); do
            case "$before" in
                *"$one"*) ;;
                *) kill -9 $child $PPID ;;
            esac
        done
        kill -CONT $child
        sleep 0.1
    done
    exit 1
fi
exec {helm} "$@"
"""


@pytest.fixture
def deadly(release: Release, tmp_path: Path) -> Rollout:
    """A tool whose next helm kills it and itself."""
    programs = {name: release.cluster.run("which", name).strip() for name in ("helm", "kubectl")}
    script = tmp_path / "bin" / "helm"
    script.parent.mkdir()
    script.write_text(HELM.format(folder=tmp_path, namespace=NAMESPACE, **programs))
    script.chmod(0o755)
    return Rollout(release, path=str(script.parent))


def killed_at_each_action(rollout: Rollout, folder: Path, *words: str) -> list[str]:
    """Runs a command, then `resume`, each killed when it says what it has not said before."""
    met: list[str] = []
    while True:
        file = folder / f"{len(met)}-{words[0]}"
        with rollout.going(file, *words) as going:
            until(lambda: bool(_new(going.text, met)) or going.over, 120, every=0.05)
            if said := _new(going.text, met):
                met.append(said)
                going.process.kill()
            # There was nothing left to do, or it died when all was done.
            if going.process.wait() == 0 or "is over: promoted" in going.text:
                return met
            assert said, going.text
        words = ("resume",)


def _new(text: str, met: list[str]) -> str:
    lines = [line.strip() for line in text.splitlines()]
    return next((one for one in lines if one.startswith(ACTIONS) and one not in met), "")


def test_killed_before_each_of_its_actions_a_rollout_still_ends_in_promotion(
    rollout: Rollout, release: Release, tmp_path: Path
):
    met = killed_at_each_action(rollout, tmp_path, "start", CANARY, "--manual")
    assert rollout.weights() == {5.0}
    met += killed_at_each_action(rollout, tmp_path, "promote")

    # Install, 5 %, more pods, 100 %; promote, 0 %, remove, clear.
    assert len(met) >= 8, met
    assert rollout.status()["phase"] == "promoted"
    assert release.document()["stable"] == {"objects": {"version": "1.1.0"}}
    assert release.document()["canary"] == {}
    until(lambda: release.pods("detector", "canary") == [])


@pytest.mark.parametrize("moment", ["install", "promote", "remove"])
def test_killed_inside_helm_a_rollout_goes_back_and_ends_in_promotion(
    rollout: Rollout, deadly: Rollout, release: Release, tmp_path: Path, moment: str
):
    armed = tmp_path / "armed"
    if moment != "install":
        assert rollout.run("start", CANARY, "--manual").code == 0
    if moment == "remove":
        (tmp_path / "spared").touch()  # the first helm of the promotion
    armed.touch()
    words = ("start", CANARY, "--manual") if moment == "install" else ("promote", "--here")

    killed = deadly.run(*words)

    assert killed.code != 0
    assert not armed.exists()
    assert rollout.status()["helm"] == "pending-upgrade", killed
    assert rollout.run("resume").code == 0
    if moment == "install":
        assert rollout.weights() == {5.0}
        assert rollout.run("promote", "--here").code == 0
    assert release.document()["stable"] == {"objects": {"version": "1.1.0"}}
    assert release.document()["canary"] == {}
    assert rollout.status()["helm"] == "deployed"


def test_killed_inside_helms_rollback_an_abort_still_restores_everything(
    rollout: Rollout, deadly: Rollout, release: Release, tmp_path: Path
):
    before = release.document()
    assert rollout.run("start", CANARY, "--manual").code == 0
    (tmp_path / "armed").touch()

    deadly.run("abort")

    assert rollout.status()["helm"] == "pending-rollback"
    assert rollout.weights() == {0.0}
    assert rollout.run("abort").code == 0
    assert release.document() == before
    assert rollout.status()["helm"] == "deployed"
    until(lambda: release.pods("detector", "canary") == [])
