"""Where a release is kept, and how its changes reach a gateway: also when things go wrong."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chassis.metrics import REGISTRY
from gateway.release import Release
from gateway.release_source import ReleaseSource
from gateway.settings import GatewaySettings
from tests.api_server import NAMESPACE, FakeApiServer, api_server

RELEASE, OVERLAY = "trilens-release", "trilens-rollout"
SECONDS = 30  # for a machine that stands still; within five on one that does not


def document(weight: float = 10, revision: int = 1, **changes: Any) -> str:
    return json.dumps(
        {
            "schema": 1,
            "revision": revision,
            "weight": weight,
            "shadow": 0,
            "stable": {"objects": {"version": "1.0.0"}},
            "canary": {"objects": {"version": "1.1.0", "target": "dns:///canary:50051"}},
        }
        | changes
    )


def overlay(release: dict[str, Any], weight: float, **changes: Any) -> str:
    about = release["metadata"]
    return json.dumps(
        {
            "schema": 1,
            "rollout": "r1",
            "uid": about["uid"],
            "resource_version": about["resourceVersion"],
            "weight": weight,
            "shadow": 5,
        }
        | changes
    )


class Gateway:
    """What a gateway was told, and how long it takes to be told what a test waits for."""

    def __init__(self) -> None:
        self.taken: list[Release] = []
        self._news = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, release: Release) -> None:
        self.taken.append(release)
        task = asyncio.create_task(self._tell())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    @property
    def now(self) -> Release:
        return self.taken[-1] if self.taken else Release()

    async def weight(self, weight: float) -> Release:
        async with asyncio.timeout(SECONDS), self._news:
            await self._news.wait_for(lambda: self.now.weight == weight)
        return self.now


def problem(document: str, kind: str) -> float | None:
    labels = {"document": document, "problem": kind}
    return REGISTRY.get_sample_value("trilens_release_problem", labels)


async def until(true: Any) -> None:
    async with asyncio.timeout(SECONDS):
        while not true():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


@asynccontextmanager
async def following(**settings: Any) -> AsyncIterator[Gateway]:
    gateway = Gateway()
    source = ReleaseSource(GatewaySettings(**settings), gateway.take)
    await source.start()
    try:
        yield gateway
    finally:
        await source.stop()


@asynccontextmanager
async def watching(server: FakeApiServer, **settings: Any) -> AsyncIterator[Gateway]:
    async with following(
        release_configmap=f"{NAMESPACE}/{RELEASE}",
        release_overlay=OVERLAY,
        kubernetes_api=server.url,
        kubernetes_account=server.account,
        **settings,
    ) as gateway:
        yield gateway


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[FakeApiServer]:
    async with api_server(tmp_path) as made:
        made.put(RELEASE, {"release.json": document(10)})
        yield made


async def test_a_gateway_begins_with_the_release_there_is(server: FakeApiServer) -> None:
    async with watching(server) as gateway:
        assert gateway.now.weight == 10
        assert gateway.now.canary["objects"].target == "dns:///canary:50051"


async def test_only_the_two_objects_are_asked_for_by_name(server: FakeApiServer) -> None:
    async with watching(server):
        pass

    here = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
    assert {path.removeprefix(here) for path in server.asked} == {
        f"/{RELEASE}",
        f"/{OVERLAY}",
        f"?watch=1&fieldSelector=metadata.name%3D{RELEASE}&timeoutSeconds=60",
        f"?watch=1&fieldSelector=metadata.name%3D{OVERLAY}&timeoutSeconds=60",
    }


async def test_a_new_revision_counts_as_soon_as_it_is_written(server: FakeApiServer) -> None:
    async with watching(server) as gateway:
        server.put(RELEASE, {"release.json": document(30, revision=2)})

        assert (await gateway.weight(30)).revision == 2


async def test_an_overlay_counts_for_the_state_it_names_and_no_other(server: FakeApiServer) -> None:
    release = server.put(RELEASE, {"release.json": document(10)})
    async with watching(server) as gateway:
        server.put(OVERLAY, {"overlay.json": overlay(release, 25)})
        found = await gateway.weight(25)
        assert (found.rollout, found.shadow, found.revision) == ("r1", 5, 1)

        # What helm upgrade and helm rollback do, whether or not the overlay goes first.
        server.put(RELEASE, {"release.json": document(50, revision=2)})
        assert (await gateway.weight(50)).rollout == ""

        server.put(RELEASE, {"release.json": document(10, revision=3)})
        await gateway.weight(10)
        assert 25 not in [one.weight for one in gateway.taken[-2:]]


async def test_an_overlay_below_the_revisions_weight_counts(server: FakeApiServer) -> None:
    release = server.put(RELEASE, {"release.json": document(50)})
    async with watching(server) as gateway:
        server.put(OVERLAY, {"overlay.json": overlay(release, 0, shadow=0)})

        await gateway.weight(0)


async def test_an_overlay_that_goes_leaves_the_revisions_weight(server: FakeApiServer) -> None:
    release = server.put(RELEASE, {"release.json": document(10)})
    server.put(OVERLAY, {"overlay.json": overlay(release, 25)})
    async with watching(server) as gateway:
        await gateway.weight(25)
        server.delete(OVERLAY)

        await gateway.weight(10)


@pytest.mark.parametrize(
    "changes",
    [{"uid": "of-another"}, {"resource_version": "1"}],
    ids=["another object", "another state"],
)
async def test_an_overlay_of_something_else_never_counts(
    server: FakeApiServer, changes: dict[str, str]
) -> None:
    release = server.put(RELEASE, {"release.json": document(10)})
    server.put(OVERLAY, {"overlay.json": overlay(release, 25, **changes)})
    async with watching(server) as gateway:
        server.put(OVERLAY, {"overlay.json": overlay(release, 26, **changes)})
        server.put(RELEASE, {"release.json": document(11)})
        await gateway.weight(11)

        assert {one.weight for one in gateway.taken} == {10, 11}


@pytest.mark.parametrize("text", ["{", "[]", document(101), document(canary=7), ""])
async def test_a_malformed_release_leaves_the_last_good_one_and_says_so(
    server: FakeApiServer, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with watching(server) as gateway:
        with caplog.at_level(logging.WARNING):
            server.put(RELEASE, {"release.json": text})
            await until(lambda: problem("release", "malformed") == 1)

        assert gateway.now.weight == 10
        assert "release is malformed, the last good one counts" in caplog.text
        server.put(RELEASE, {"release.json": document(20)})
        await gateway.weight(20)
        assert problem("release", "malformed") == 0


async def test_a_malformed_overlay_leaves_the_last_good_one_and_says_so(
    server: FakeApiServer,
) -> None:
    release = server.put(RELEASE, {"release.json": document(10)})
    server.put(OVERLAY, {"overlay.json": overlay(release, 25)})
    async with watching(server) as gateway:
        await gateway.weight(25)
        server.put(OVERLAY, {"overlay.json": "{}"})
        await until(lambda: problem("overlay", "malformed") == 1)

        assert gateway.now.weight == 25


async def test_a_release_that_is_deleted_leaves_the_last_one(server: FakeApiServer) -> None:
    async with watching(server) as gateway:
        server.delete(RELEASE)
        await until(lambda: problem("release", "missing") == 1)

        assert gateway.now.weight == 10
        server.put(RELEASE, {"release.json": document(15)})
        await gateway.weight(15)
        assert problem("release", "missing") == 0


async def test_without_any_release_there_is_one_lane(tmp_path: Path) -> None:
    async with api_server(tmp_path) as server, watching(server) as gateway:
        assert gateway.now == Release()
        assert problem("release", "missing") == 1


@pytest.mark.parametrize("fault", ["drop", "expire", "garbage", "no object", "too long"])
async def test_a_watch_that_breaks_is_begun_again_and_misses_nothing(
    server: FakeApiServer, fault: str
) -> None:
    async with watching(server) as gateway:
        before = server.watches
        match fault:
            case "drop":
                server.drop()
            case "expire":
                server.expire()
            case "garbage":
                server.send(b"\x00\xff not json\n")
            case "no object":
                server.send(b'{"type": "MODIFIED", "object": {"metadata": 7}}\n')
            case _:
                server.send(b"x" * (5 << 20) + b"\n")
        await until(lambda: server.watches >= before + 2)
        server.put(RELEASE, {"release.json": document(40)})

        await gateway.weight(40)
        assert problem("release", "unreachable") == 0


async def test_a_change_while_a_watch_begins_is_not_taken_back(server: FakeApiServer) -> None:
    async with watching(server) as gateway:
        server.delay = 0.5
        begun = server.watches
        server.expire()
        # Both have begun with what there was; what there is is yet to be looked at.
        await until(lambda: server.watches == begun + 2)
        server.put(RELEASE, {"release.json": document(20, revision=2)})
        await gateway.weight(20)
        server.put(RELEASE, {"release.json": document(30, revision=3)})
        await gateway.weight(30)

    assert [one.weight for one in gateway.taken] == [10, 20, 30]


async def test_bookmarks_and_fields_of_others_are_left_alone(server: FakeApiServer) -> None:
    async with watching(server) as gateway:
        before = server.watches
        server.send(b'{"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}}\n')
        server.put(RELEASE, {"release.json": document(40), "other": "x"})

        await gateway.weight(40)
        assert server.watches == before


async def test_the_token_is_read_anew_when_it_is_refused(server: FakeApiServer) -> None:
    async with watching(server) as gateway:
        server.token = "second"  # noqa: S105
        server.drop()
        await until(lambda: problem("release", "unreachable") == 1)
        assert gateway.now.weight == 10

        server.rotate("second", accepted=True)
        server.put(RELEASE, {"release.json": document(40)})
        await gateway.weight(40)


async def test_a_server_with_another_authority_is_not_believed(
    server: FakeApiServer, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    async with api_server(other) as impostor:
        impostor.put(RELEASE, {"release.json": document(99)})
        (impostor.account / "ca.crt").write_bytes((server.account / "ca.crt").read_bytes())
        async with watching(impostor) as gateway:
            assert gateway.now == Release()
            assert problem("release", "unreachable") == 1


async def test_while_the_api_server_is_away_the_last_release_counts(server: FakeApiServer) -> None:
    async with watching(server) as gateway:
        await server.down()
        await until(lambda: problem("release", "unreachable") == 1)
        assert gateway.now.weight == 10

        server.put(RELEASE, {"release.json": document(40)})
        await server.up()
        await gateway.weight(40)


async def test_a_slow_api_server_does_not_keep_a_gateway_from_beginning(
    server: FakeApiServer,
) -> None:
    server.delay = 4.0
    async with asyncio.timeout(3.9):
        async with watching(server) as gateway:
            assert gateway.now == Release()


async def test_a_file_alone_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "release.json"
    file.write_text(document(10))
    async with following(release_file=file) as gateway:
        assert gateway.now.weight == 10

        fresh = tmp_path / "fresh"
        fresh.write_text(document(20))
        fresh.rename(file)
        await gateway.weight(20)

        file.write_text("{")
        await until(lambda: problem("release", "malformed") == 1)
        file.unlink()
        await until(lambda: problem("release", "missing") == 1)
        assert gateway.now.weight == 20


async def test_a_mounted_file_counts_until_the_api_server_answers(
    server: FakeApiServer, tmp_path: Path
) -> None:
    file = tmp_path / "release.json"
    file.write_text(document(70))
    await server.down()
    async with watching(server, release_file=file) as gateway:
        assert gateway.now.weight == 70
        await server.up()
        await gateway.weight(10)

        file.write_text(document(71))
        server.put(RELEASE, {"release.json": document(11)})
        await gateway.weight(11)
        assert 71 not in [one.weight for one in gateway.taken]
