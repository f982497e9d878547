"""Probes through a real gateway with a stable and a canary service."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from chassis.server import serving
from gateway.app import GatewayApp
from gateway.settings import FeatureSettings, GatewaySettings
from rollout.asking import Asking
from rollout.judge.observation import Pairs
from rollout.probes import Label, LabelledPhoto, ProbeSet
from services.detector.model import Detections
from tests.fakes import FakeModel
from tests.harness import LOOPBACK, PHOTOS, server_settings
from tests.releases import CANARY_VERSION, SECONDS, STABLE_VERSION, service, until

PHOTO = LabelledPhoto((PHOTOS / "cat.jpg").read_bytes(), (Label(feature="objects", present="dog"),))
FEATURES = ("objects", "captions")


def probes(count: int) -> ProbeSet:
    return ProbeSet("dogs", (PHOTO,) * count)


@asynccontextmanager
async def gateway(folder: Path, canary: FakeModel | None) -> AsyncIterator[str]:
    """The address of a gateway whose stable detector sees a dog."""
    async with (
        service(FakeModel(version=STABLE_VERSION)) as stable,
        service(canary or FakeModel(version=STABLE_VERSION)) as other,
    ):
        release = folder / "release.json"
        document = {"schema": 1, "revision": 1, "weight": 0, "shadow": 0}
        versions = {"stable": {"objects": {"version": STABLE_VERSION}}, "canary": {}}
        if canary:
            versions["canary"] = {"objects": {"version": CANARY_VERSION, "target": other}}
        release.write_text(json.dumps(document | versions))
        features = {"objects": FeatureSettings(task="detection", target=stable)}
        settings = GatewaySettings(features=features, release_file=release)
        app = GatewayApp(settings, server_settings(), host=None)
        async with serving(server_settings(), app) as ports:
            yield f"{LOOPBACK}:{ports.grpc}"


async def asked(asking: Asking, count: int) -> Pairs:
    """What was settled, once so many probes were."""
    total = Pairs()
    async with asyncio.timeout(SECONDS):
        while total.asked < count:
            await asyncio.sleep(0.05)
            new = asking.new().get("objects", Pairs())
            total = Pairs(total.asked + new.asked, total.lost + new.lost, total.won + new.won)
    return total


async def leave(asking: Asking) -> None:
    # Its thread waits for answers of servers that live on this loop.
    await asyncio.to_thread(asking.__exit__, None, None, None)


async def test_a_canary_that_is_as_right_loses_nothing(tmp_path):
    async with gateway(tmp_path, FakeModel(version=CANARY_VERSION)) as address:
        asking = Asking(address, probes(3), FEATURES).__enter__()
        found = await asked(asking, 3)
        await leave(asking)

    assert found == Pairs(3)


async def test_a_canary_that_sees_nothing_loses_what_the_stable_track_sees(tmp_path):
    blind = FakeModel(version=CANARY_VERSION, prediction=Detections(()))
    async with gateway(tmp_path, blind) as address:
        asking = Asking(address, probes(3), FEATURES).__enter__()
        found = await asked(asking, 3)
        await leave(asking)

    assert found == Pairs(3, lost=3)


async def test_a_canary_that_breaks_on_a_photo_is_wrong(tmp_path):
    broken = FakeModel(version=CANARY_VERSION, broken=RuntimeError("no"))
    async with gateway(tmp_path, broken) as address:
        asking = Asking(address, probes(1), FEATURES).__enter__()
        found = await asked(asking, 1)
        await leave(asking)

    assert found == Pairs(1, lost=1)


async def test_while_the_canary_cannot_be_used_no_probe_counts_and_it_says_so(tmp_path):
    async with gateway(tmp_path, canary=None) as address:
        asking = Asking(address, probes(1), FEATURES).__enter__()
        await until(lambda: bool(asking.trouble))
        trouble, found = asking.trouble, asking.new()
        await leave(asking)

    assert trouble == "probes for the canary lane are answered by the stable one"
    assert found == {}


async def test_probes_that_were_asked_before_are_not_asked_again(tmp_path):
    model = FakeModel(version=CANARY_VERSION)
    async with gateway(tmp_path, model) as address:
        asking = Asking(address, probes(5), FEATURES, {"objects": 3}).__enter__()
        found = await asked(asking, 2)
        await leave(asking)

    assert (found, asking.new()) == (Pairs(2), {})
