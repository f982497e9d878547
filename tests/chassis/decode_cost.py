"""Decodes one file in a process of its own and prints what that cost: CPU seconds, extra MiB."""

import json
import resource
import sys
import time
from pathlib import Path

from chassis.errors import InvalidImage
from chassis.images import ImageLimits, decode

_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
PHOTO = Path(__file__).parents[1] / "photos" / "coffee.jpg"


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT / (1 << 20)


def main():
    limits = ImageLimits()
    decode(PHOTO.read_bytes(), 480, limits)  # imports and first allocations are not the file's
    memory, started = peak(), time.process_time()
    content = Path(sys.argv[1]).read_bytes()
    try:
        photo = decode(content, 480, limits)
        outcome = f"{photo.format} {photo.width}x{photo.height}"
    except InvalidImage as refused:
        outcome = str(refused)
    cost = {"seconds": time.process_time() - started, "megabytes": peak() - memory}
    sys.stdout.write(json.dumps(cost | {"outcome": outcome}))


if __name__ == "__main__":
    main()
