"""The judge's seat, with probes through a real gateway."""

import asyncio
from datetime import UTC, datetime

from gateway.release_document import Canary, ReleaseDocument, Stable
from rollout.judge import Record
from rollout.judge.observation import Pairs
from rollout.jury import Jury
from rollout.observe import Seen
from rollout.observed import Observed, Release
from rollout.state import Judging, Phase, State
from tests.fakes import FakeModel
from tests.releases import CANARY_VERSION, SECONDS, STABLE_VERSION
from tests.rollout.test_asking import gateway, probes


def on_the_first_step() -> Seen:
    document = ReleaseDocument(
        schema_=1,
        revision=1,
        weight=5,
        shadow=0,
        stable={"objects": Stable(version=STABLE_VERSION)},
        canary={"objects": Canary(version=CANARY_VERSION, target="dns:///detector:50051")},
    )
    versions = {"detector": CANARY_VERSION}, {"detector": STABLE_VERSION}
    return Seen(Observed(Release(document, "uid", "1", *versions)), (), {}, {"detector": "objects"})


async def test_what_was_judged_is_not_lost_with_a_state_that_could_not_be_written(tmp_path):
    async with gateway(tmp_path, FakeModel(version=CANARY_VERSION)) as address:
        state = State(
            id="one",
            release="trilens",
            canaries={"detector": CANARY_VERSION},
            before=1,
            document=1,
            full={"detector": 1},
            started=datetime.now(UTC),
            phase=Phase.STEPPING,
            judging=Judging(gateway=address, without=("agreement",)),
        )
        jury = Jury(probes(2), every=0.0)
        async with asyncio.timeout(SECONDS):
            found = Pairs()
            while found.asked < 2:
                # Each time with the first state: none of those it returns is kept.
                kept, _ = await asyncio.to_thread(jury.look, state, on_the_first_step())
                seen = Record.model_validate(kept).evidence.get("accuracy objects")
                found = seen.pairs if seen else found
                await asyncio.sleep(0.01)
        await asyncio.to_thread(jury.close)
