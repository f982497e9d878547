"""Device: whether the accelerator that a model runs on can still be counted on."""

import logging
from typing import Final

from services.meters import Meters
from services.runtimes import DeviceFailed

logger = logging.getLogger(__name__)

# One error may be a batch that asked for too much; as many in a row are the device's own.
ERRORS_IN_A_ROW: Final = 3


class Device:
    """Counts a device's errors; after some in a row it is lost, for as long as the process lives.

    A process that starts again in the same container gets the same device: only a new pod moves.
    """

    def __init__(self, meters: Meters) -> None:
        self._meters = meters
        self._in_a_row = 0
        self._lost = ""

    @property
    def lost(self) -> str:
        """Why it is lost; "" while it is not."""
        return self._lost

    def worked(self) -> None:
        """A batch was computed."""
        self._in_a_row = 0

    def failed(self, error: DeviceFailed) -> None:
        """A batch ended in an error of the device's."""
        self._meters.device_error()
        self._in_a_row += 1
        if self._in_a_row >= ERRORS_IN_A_ROW and not self._lost:
            self._lost = f"the device is lost: {self._in_a_row} errors in a row, the last: {error}"
            self._meters.device_lost()
            logger.error(
                "%s; delete the pod: a container that starts again has it still", self._lost
            )
