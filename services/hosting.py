"""ModelHost: a model from its package to ready, to closed."""

import logging
from pathlib import Path
from typing import Annotated, Generic, Literal, Protocol, TypeVar

from pydantic import Field
from pydantic_settings import NoDecode

from chassis import metrics
from chassis.background import in_background
from chassis.call import Call
from chassis.compute import ComputePool
from chassis.errors import NotReady
from chassis.images import Pixels
from chassis.settings import FROM_JSON, Settings
from services.batcher import Batcher, BatchLimits, Predicted
from services.choices import Choices
from services.explaining import Explaining, ExplainingLimits
from services.manifest import Manifest, Task
from services.model import Model
from services.packages import InvalidPackage, Package, open_package
from services.runtimes import DeviceFailed, RuntimeName, RuntimeUnavailable
from services.selftest import check
from services.served_sets import ServedSets, served_sets
from trilens.v1 import explanation_pb2

P = TypeVar("P")

logger = logging.getLogger(__name__)


class ModelSettings(Settings):
    """What an operator may change about a hosted model."""

    model: str = Field(description="The model package: a folder or a file:// URI.")
    model_version: str | None = Field(
        None, description="Version that the package must have, where a release names one."
    )
    runtime: RuntimeName | None = Field(None, description="Runtime in place of the package's own.")
    threshold_files: Annotated[tuple[Path, ...], NoDecode, FROM_JSON] = Field(
        (), description="Threshold sets to serve beside the package's own: a JSON list of files."
    )
    threshold_set: str | None = Field(
        None, description="Threshold set of callers who name none, in place of the package's."
    )
    max_batch: int = Field(8, ge=1, le=1024, description="Most photos in one batch.")
    max_waiting: int = Field(64, ge=1, le=100_000, description="Photos that may wait; more: shed.")
    explain_seconds: float = Field(
        3.0, ge=0, le=600, description="Longest explanation of a photo, in seconds; 0: none."
    )
    max_explaining: int = Field(
        4, ge=1, le=1000, description="Photos that may be explained at once; more: shed."
    )
    track: Literal["stable", "canary"] = Field(
        "stable", description="Track of a release that this process serves; metrics carry it."
    )


class Loader(Protocol[P]):
    """`load` of a service's model module."""

    def __call__(self, package: Package, runtime: str | None, threads: int) -> Model[P]:
        """Loads the model."""


class ModelHost(Generic[P]):
    """Loads a model off the event loop, and answers for it once it has proven itself.

    A package that cannot be read, whose digests differ, or whose golden outputs differ never
    becomes ready; the log says exactly why, and every call is answered with NotReady.
    """

    def __init__(
        self, settings: ModelSettings, load: Loader[P], pool: ComputePool, task: Task
    ) -> None:
        self._settings = settings
        self._load = load
        self._pool = pool
        self._task = task
        self._batcher: Batcher[P] | None = None
        self._choices: Choices | None = None
        self._sets: ServedSets | None = None
        self._explaining: Explaining[P] | None = None
        self._why_not = "the model is loading"

    @property
    def package(self) -> Package:
        """The package of the loaded model; raises NotReady until there is one."""
        return self._loaded().model.package

    @property
    def choices(self) -> Choices:
        """What callers may choose of the model; raises NotReady until it is loaded."""
        if self._choices is None:
            raise NotReady(self._why_not)
        return self._choices

    @property
    def sets(self) -> ServedSets:
        """The threshold sets it is served with; raises NotReady until it is loaded."""
        if self._sets is None:
            raise NotReady(self._why_not)
        return self._sets

    @property
    def runtime(self) -> str:
        """What runs the model: the package's own runtime or the operator's choice."""
        return self._settings.runtime or self.package.manifest.runtime

    @property
    def max_side(self) -> int:
        """Longest photo side that the model makes use of; raises NotReady until loaded."""
        return self._loaded().model.max_side

    @property
    def explanation_method(self) -> explanation_pb2.ExplanationMethod:
        """How the model's predictions are explained here; UNSPECIFIED if they are not."""
        if self._explaining is None:
            return explanation_pb2.EXPLANATION_METHOD_UNSPECIFIED
        return self._explaining.method

    async def start(self) -> bool:
        """Loads, warms and tests the model; False, with the reason logged, if it must not serve."""
        try:
            model, sets = await in_background(self._prepare, "load")
        except (InvalidPackage, RuntimeUnavailable, DeviceFailed) as problem:
            return self._refused(str(problem))
        except Exception as error:
            logger.exception("%s: unforeseen error", self._settings.model)
            return self._refused(repr(error))
        manifest = model.package.manifest
        limits = BatchLimits(
            # A larger batch was never warmed, and may be more than the network takes.
            max_batch=min(self._settings.max_batch, manifest.batch_sizes[-1]),
            max_waiting=self._settings.max_waiting,
            max_running=self._pool.slots,
        )
        self._sets = sets
        self._explaining = self._explains(model)
        self._choices = Choices(manifest, sets, explains=self._explaining is not None)
        self._batcher = Batcher(model, self._pool, limits, self._settings.track)
        self._tell_metrics(model.package, sets)
        logger.info("%s %s from %s serves", manifest.name, manifest.version, model.package.path)
        return True

    async def predict(self, pixels: Pixels, call: Call) -> Predicted[P]:
        """The model's prediction; raises NotReady, and what Batcher.predict raises."""
        return await self._loaded().predict(pixels, call)

    async def explain(self, pixels: Pixels, part: P, call: Call) -> explanation_pb2.Explanation:
        """Why the model predicted this part of the photo's prediction, for a model that explains.

        Raises NotReady; whatever else is in the way stands in the explanation.
        """
        if self._explaining is None:
            raise NotReady(self._why_not)
        return await self._explaining.explain(pixels, part, call)

    def trouble(self, hang_after: float) -> str:
        """Why it should get no photos: it hangs, or its device is lost; "" if it may."""
        if self._batcher is None:
            return ""
        if self._batcher.hangs(hang_after):
            return f"nothing has ended for {hang_after:g} s"
        return self._batcher.device.lost

    async def stop(self) -> None:
        """Gives the model's memory back; nothing may be predicted any more."""
        if self._batcher is not None:
            batcher, self._batcher, self._choices, self._sets = self._batcher, None, None, None
            self._why_not = "the model is closed"
            explaining, self._explaining = self._explaining, None
            batcher.close()
            if explaining is not None:
                explaining.close()
            # A batch that hangs still uses the network: its memory goes with the process.
            if batcher.idle() and (explaining is None or explaining.idle()):
                batcher.model.close()

    def _prepare(self) -> tuple[Model[P], ServedSets]:
        package = open_package(self._settings.model)
        found = package.manifest.task
        if found is not self._task:
            raise InvalidPackage(
                f"{package.path}: a {found} model, where this service hosts {self._task} models"
            )
        # A volume or an image may hold something else than its name says, and a canary that is its
        # own stable version would be promoted.
        version, wanted = package.manifest.version, self._settings.model_version
        if wanted not in (None, version):
            raise InvalidPackage(
                f"{package.path}: version {version}, where the release names {wanted}"
            )
        sets = self._chosen_sets(package.manifest)
        # One thread a batch, a batch a core: on CPUs that gives the most photos per second.
        model = self._load(package, self._settings.runtime, 1)
        try:
            check(model)
        except BaseException:
            model.close()
            raise
        return model, sets

    def _chosen_sets(self, manifest: Manifest) -> ServedSets:
        settings = self._settings
        return served_sets(manifest, settings.threshold_files, settings.threshold_set)

    def _explains(self, model: Model[P]) -> Explaining[P] | None:
        settings = self._settings
        if model.explainer is None or settings.explain_seconds == 0:
            return None
        limits = ExplainingLimits(settings.explain_seconds, settings.max_explaining)
        return Explaining(model.explainer, self._pool, limits)

    def _tell_metrics(self, package: Package, sets: ServedSets) -> None:
        manifest = package.manifest
        who = (manifest.name, manifest.version, self._settings.track, manifest.feature)
        metrics.MODEL.labels(*who, package.digest, self.runtime, sets.default).set(1)

    def _refused(self, reason: str) -> bool:
        logger.error("%s does not become ready: %s", self._settings.model, reason)
        # The reason names files: it is for the log, not for callers.
        self._why_not = "the model could not be loaded"
        return False

    def _loaded(self) -> Batcher[P]:
        if self._batcher is None:
            raise NotReady(self._why_not)
        return self._batcher
