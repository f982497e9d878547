"""Shows a photo's answer, and how to ask for one's own."""

import shlex
import sys
import time
from pathlib import Path
from typing import Final

import grpc

from local.stack import StackFailed
from trilens.aio import AsyncClient
from trilens.cli import report
from trilens.cli.terminal import Terminal
from trilens.errors import explain

# Nobody else asks yet; a slow machine still gets to show what it can do.
_PATIENCE_SECONDS: Final = 30.0


async def show_answer(server: str, photo: Path) -> None:
    """Analyses the photo through the door that everybody else uses, and writes the result.

    Raises StackFailed if there is none, with the reason.
    """
    async with AsyncClient(server) as client:
        begun = time.monotonic()
        try:
            response = await client.analyze(photo, timeout=_PATIENCE_SECONDS)
        except (grpc.aio.AioRpcError, OSError) as error:
            raise StackFailed(f"{photo}: {explain(error)}") from error
        Terminal().show(report.answered(str(photo), response, time.monotonic() - begun))


def commands(server: str, photo: Path) -> str:
    """Commands to paste into another terminal."""
    trilens = _shortest(Path(sys.executable).with_name("trilens"))
    photo_ = shlex.quote(str(photo))
    return f"""\
Ask it yourself, from another terminal:

  {trilens} analyze {photo_} --server {server}
  {trilens} analyze {photo_} --server {server} --save answer.jpg
  {trilens} models list --server {server}

or without anything of ours (grpcurl learns the contract from the server):

  grpcurl -plaintext {server} list
  printf '{{"image":{{"content":"%s"}}}}' "$(base64 < {photo_} | tr -d '\\n')" |
    grpcurl -plaintext -d @ {server} trilens.v1.ImageAnalysisService/AnalyzeImage
"""


def _shortest(path: Path) -> str:
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))
