"""Decodes files in a process of its own and prints, file by file, CPU seconds and extra MiB."""

import json
import resource
import sys
import time
from pathlib import Path

from chassis.errors import InvalidImage
from chassis.images import ImageLimits, decode

UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss
PHOTO = Path(__file__).parents[1] / "photos" / "coffee.jpg"
LIMITS = ImageLimits()


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT / (1 << 20)


def outcome(content):
    try:
        photo = decode(content, 480, LIMITS)
    except InvalidImage as refused:
        return str(refused)
    return f"{photo.format} {photo.width}x{photo.height}"


def main():
    outcome(PHOTO.read_bytes())  # imports and first allocations are no file's fault
    before, costs = peak(), {}
    for file in map(Path, sys.argv[1:]):
        content, started = file.read_bytes(), time.process_time()
        said = outcome(content)
        seconds = time.process_time() - started
        costs[file.name] = {"said": said, "seconds": seconds, "megabytes": peak() - before}
    sys.stdout.write(json.dumps(costs))


if __name__ == "__main__":
    main()
