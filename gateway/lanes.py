"""Lanes: each call meets one version per model; which one, its key and the release decide."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Final

from chassis.call import CANARY, STABLE, Call
from chassis.metrics import CANARY_USABLE, tell
from chassis.metrics import RELEASE as RELEASE_INFO
from gateway.backends import Backend
from gateway.canary import CanaryTrack
from gateway.features import Feature
from gateway.pulse import Pulse
from gateway.release import Release
from gateway.release_document import Canary

logger = logging.getLogger(__name__)

# Makes the backend of a feature's canary.
OpenCanary = Callable[[Feature, Canary], Backend]

_LOOK_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Lane:
    """The features as one call meets them; `shadow`: who else is to see its photo, afterwards."""

    name: str
    features: Mapping[str, Feature]
    shadow: CanaryTrack | None = None


class Lanes:
    """The stable lane, and the canary's while a release has one that is usable."""

    def __init__(
        self, stable: Mapping[str, Feature], open_canary: OpenCanary, *, may_ask: bool
    ) -> None:
        """`may_ask`: whether callers may name their lane."""
        self._stable = Lane(STABLE, stable)
        self._open_canary = open_canary
        self._may_ask = may_ask
        self._release = Release()
        self._shown: tuple[str, ...] = ()
        self._track: CanaryTrack | None = None
        self._met = False  # whether the last call to look found it usable
        self._canary = self._stable
        self._leaving: set[asyncio.Task[None]] = set()
        tell(CANARY_USABLE, self._usable)

    def take(self, release: Release) -> None:
        """Lets the release count, for every call from now on."""
        if release.canary != self._release.canary:
            self._change_canary(release.canary)
        self._release = release
        self._show(release)
        logger.info(
            "release %d: %g %% of calls to canary [%s], %g %% of the others copied%s",
            release.revision,
            release.weight,
            release.versions,
            release.shadow,
            f"; rollout {release.rollout}" if release.rollout else "",
        )

    @contextmanager
    def lane(self, call: Call, affinity_key: str) -> Iterator[Lane]:
        """The call's lane, which stays what it is within the block whatever happens meanwhile."""
        track = self._track
        if track is None or not self._meets(track):
            yield self._stable
            return
        canary = self._names_canary(call, affinity_key or call.request_id)
        with track.used() if canary else nullcontext():
            yield self._canary if canary else self._stable_beside(track, call)

    def named(self, call: Call) -> Lane:
        """The lane that the caller names, if that is possible; else the stable one."""
        asks = self._may_ask and call.asked_lane == CANARY
        return self._canary if asks and self._usable() else self._stable

    async def settled(self, seconds: float) -> None:
        """Waits until the canary that ought to get calls can, at most that long."""
        try:
            async with asyncio.timeout(seconds):
                while self._waits_for_canary():  # noqa: ASYNC110 - nobody tells of it
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            logger.warning("no ready pod of canary [%s] yet", self._release.versions)

    async def stop(self) -> None:
        """Lets go of every canary."""
        self._change_canary({})
        if self._leaving:
            await asyncio.wait(self._leaving)

    def _meets(self, track: CanaryTrack) -> bool:
        """Whether the canary may get a call; the log hears when that begins and ends."""
        usable = track.usable()
        if usable != self._met:
            self._met = usable
            if usable:
                logger.info("canary [%s] has ready pods", self._release.versions)
            else:
                text = "canary [%s] has no ready pod any more: every call is stable"
                logger.warning(text, self._release.versions)
        return usable

    def _show(self, release: Release) -> None:
        before, self._shown = self._shown, _labels(release)
        RELEASE_INFO.labels(*self._shown).set(1)
        if before and before != self._shown:
            RELEASE_INFO.remove(*before)

    def _chosen(self, call: Call) -> bool:
        """Whether the caller named a lane, and may."""
        return self._may_ask and call.asked_lane in (STABLE, CANARY)

    def _names_canary(self, call: Call, key: str) -> bool:
        if self._chosen(call):
            return call.asked_lane == CANARY
        return share(key, self._release.versions) < self._release.weight

    def _stable_beside(self, track: CanaryTrack, call: Call) -> Lane:
        # Testers and probes ask both lanes themselves; their photos are no sample of the callers'.
        if self._chosen(call):
            return self._stable
        # Photo by photo, and not as callers are chosen: those of one caller are much alike.
        copied = share(call.request_id, f"shadow {self._release.versions}") < self._release.shadow
        return replace(self._stable, shadow=track) if copied else self._stable

    def _waits_for_canary(self) -> bool:
        return bool(self._release.weight) and self._track is not None and not self._usable()

    def _usable(self) -> bool:
        track = self._track  # read once: metrics are read on a thread of their own
        return track is not None and track.usable()

    def _change_canary(self, canaries: Mapping[str, Canary]) -> None:
        if self._track is not None:
            leaving = asyncio.create_task(self._track.leave())
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
        stable = self._stable.features
        if unknown := canaries.keys() - stable.keys():
            logger.warning("canaries of features that are not here: %s", ", ".join(sorted(unknown)))
        opened = {
            name: replace(
                feature,
                backend=self._open_canary(feature, canaries[name]),
                pulse=Pulse(feature.pulse.patience),
            )
            for name, feature in stable.items()
            if name in canaries
        }
        self._track = CanaryTrack(canaries, opened) if opened else None
        self._met = False
        self._canary = Lane(CANARY, {**stable, **opened})


def _labels(release: Release) -> tuple[str, ...]:
    weights = f"{release.weight:g}", f"{release.shadow:g}"
    return str(release.revision), release.rollout, *weights, release.versions


def share(key: str, salt: str) -> float:
    """The key's place in [0, 100): the same in every process, another one with every salt."""
    digest = blake2b(f"{salt}\0{key}".encode(), digest_size=8).digest()
    # 53 bits: what a float holds exactly, so that the highest is still below 100.
    return (int.from_bytes(digest) >> 11) / (1 << 53) * 100
