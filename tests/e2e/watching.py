"""Follows a release as a gateway does, and writes each that counts as a line."""

import asyncio
import json
import logging
import sys
import time
from pathlib import Path

from gateway.release import Release
from gateway.release_source import ReleaseSource
from gateway.settings import GatewaySettings


async def _follow(url: str, account: Path, place: str, overlay: str, out: Path) -> None:
    with out.open("w", buffering=1) as lines:

        def take(release: Release) -> None:
            line = {
                "at": time.time(),
                "revision": release.revision,
                "rollout": release.rollout,
                "weight": release.weight,
            }
            lines.write(json.dumps(line) + "\n")

        settings = GatewaySettings(
            release_configmap=place,
            release_overlay=overlay,
            kubernetes_api=url,
            kubernetes_account=account,
        )
        source = ReleaseSource(settings, take)
        await source.start()
        await asyncio.Event().wait()


def main() -> None:
    """URL ACCOUNT NAMESPACE/NAME OVERLAY OUT; follows until killed, problems go to stderr."""
    logging.basicConfig(level=logging.INFO)
    url, account, place, overlay, out = sys.argv[1:]
    asyncio.run(_follow(url, Path(account), place, overlay, Path(out)))


if __name__ == "__main__":
    main()
