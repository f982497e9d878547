"""ImageAnalysisService: the gateway's gRPC door."""

import asyncio
import logging
from dataclasses import replace
from typing import Final

from google.rpc import status_pb2

from chassis.call import MAX_ID_CHARACTERS, Call, Priority, answering, current_call, valid_id
from chassis.doors import Context
from chassis.errors import Internal, InvalidRequest, TrilensError, Violation
from chassis.settings import ServerSettings
from chassis.telemetry import ITEM, REQUEST_ID, below, span
from chassis.version import VERSION
from gateway.analyze import Analyzer
from gateway.budget import short_of
from gateway.lanes import Lanes
from gateway.settings import GatewaySettings
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import analysis_pb2_grpc as rpc

logger = logging.getLogger(__name__)

_MAX_BATCH_ID: Final = MAX_ID_CHARACTERS - len("-1000")


class ImageAnalysisServicer(rpc.ImageAnalysisServiceServicer):
    """Check, analyse, answer."""

    def __init__(self, analyzer: Analyzer, lanes: Lanes, limits: pb.Limits) -> None:
        self._analyzer = analyzer
        self._lanes = lanes
        self._limits = limits

    async def AnalyzeImage(
        self, request: pb.AnalyzeImageRequest, _: Context
    ) -> pb.AnalyzeImageResponse:
        """One photo."""
        return await self._analyzer.analyze(request, current_call())

    async def BatchAnalyzeImages(
        self, request: pb.BatchAnalyzeImagesRequest, _: Context
    ) -> pb.BatchAnalyzeImagesResponse:
        """A bounded list of photos, behind those of interactive callers; never atomic."""
        count, most = len(request.requests), self._limits.max_batch_images
        if not 1 <= count <= most:
            raise InvalidRequest(Violation("requests", f"must hold 1 to {most}, not {count}"))
        # Photos that are late end as items of their own, while there is time to send the others.
        call = replace(short_of(current_call()), priority=Priority.BATCH)
        items = await asyncio.gather(
            *(self._item(one, call, number) for number, one in enumerate(request.requests))
        )
        return pb.BatchAnalyzeImagesResponse(items=items)

    async def GetCapabilities(
        self, _: pb.GetCapabilitiesRequest, __: Context
    ) -> pb.GetCapabilitiesResponse:
        """Features, their models as they are right now on the lane that is named, and limits."""
        call = short_of(current_call())
        lane = self._lanes.named(call)
        features = [feature for _name, feature in sorted(lane.features.items())]
        models = await asyncio.gather(*(one.backend.describe(call) for one in features))
        return pb.GetCapabilitiesResponse(
            features=[
                pb.FeatureDescription(
                    feature=feature.name,
                    task=feature.task.value,
                    on_by_default=feature.on_by_default,
                    model=model,
                )
                for feature, model in zip(features, models, strict=True)
            ],
            limits=self._limits,
            server_version=VERSION,
        )

    async def _item(self, request: pb.AnalyzeImageRequest, call: Call, number: int) -> pb.BatchItem:
        own_id = valid_id(request.request_id) or _item_id(call, number)
        own = replace(call, request_id=own_id)
        with answering(own):
            try:
                with span(ITEM, own.trace, {REQUEST_ID: own.request_id}) as around:
                    within = own.under(below(around, own.trace))
                    response = await self._analyzer.analyze(request, within)
            except TrilensError as error:
                return pb.BatchItem(status=error.status())
            except Exception:
                logger.exception("unhandled error in a batch's item")
                return pb.BatchItem(status=Internal().status())
        return pb.BatchItem(status=status_pb2.Status(), response=response)


def _item_id(call: Call, number: int) -> str:
    """The id of a photo without one: the same if the batch is sent again, and so is its lane."""
    return f"{call.request_id[:_MAX_BATCH_ID]}-{number}"


def limits(gateway: GatewaySettings, server: ServerSettings) -> pb.Limits:
    """What the deployment accepts, as GetCapabilities says it."""
    made = pb.Limits(
        max_image_bytes=gateway.max_image_bytes,
        max_image_pixels=gateway.max_image_pixels,
        max_batch_images=gateway.max_batch_images,
        max_message_bytes=server.max_message_bytes,
    )
    made.default_deadline.FromMilliseconds(round(server.usual_deadline() * 1e3))
    made.max_deadline.FromMilliseconds(round(server.max_deadline * 1e3))
    return made
