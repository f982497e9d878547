"""`trilens analyze`: photos in, one result each out, and an exit code that sums them up."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import grpc
from rich.console import RenderableType

from trilens.cli import lines, report
from trilens.cli.exits import EXIT_FAILED, EXIT_FULL, EXIT_PARTIAL
from trilens.cli.features import Threshold, ask_for
from trilens.cli.photos import Source
from trilens.cli.picture import draw
from trilens.cli.save import Draw, Undrawable, save
from trilens.cli.terminal import Failure, Terminal, trouble
from trilens.client import Client
from trilens.errors import explain
from trilens.results import Analyzed
from trilens.v1 import analysis_pb2 as pb


@dataclass(frozen=True, slots=True)
class Order:
    """What to ask of the server, about which photos."""

    sources: Sequence[Source]
    features: Sequence[str]  # names; empty for the deployment's default set
    required: Sequence[str]
    thresholds: Sequence[Threshold]
    unsure: bool  # whether objects are wanted, too, that are uncertain
    timeout: float  # seconds per photo
    jobs: int  # photos at a time


@dataclass(frozen=True, slots=True)
class Manner:
    """What tells one command that analyses photos from another."""

    ask: Callable[[Client, Order], tuple[pb.FeatureRequest, ...] | None]  # None: the default set
    show: Callable[[str, pb.AnalyzeImageResponse, float], RenderableType]
    draw: Draw
    full: Callable[[pb.AnalyzeImageResponse], bool]  # whether all is there that was asked for


def analyze(
    client: Client,
    server: str,
    order: Order,
    *,
    as_json: bool,
    pictures: Mapping[int, Path],
    manner: Manner | None = None,
) -> int:
    """Analyses the photos, writes each result as its turn comes, and gives the exit code.

    `pictures` says which photos, by index, are drawn, and into which file. Raises Failure if the
    server cannot be reached at all.
    """
    manner = manner or _PLAIN
    terminal = Terminal()
    code = EXIT_FULL
    with (
        terminal.progress(len(order.sources)) as one_more,
        closing(_results(client, server, order, manner)) as results,
    ):
        for result in results:
            source = order.sources[result.index]
            _show(terminal, source.name, result, manner, as_json=as_json)
            if result.response is not None and result.index in pictures:
                try:
                    save(source, result.response, pictures[result.index], manner.draw)
                except Undrawable as why:
                    terminal.remark(str(why))
                    code = EXIT_FAILED
            code = max(code, _code(result, manner))
            one_more()
    return code


def _results(
    client: Client, server: str, order: Order, manner: Manner
) -> Generator[Analyzed, None, None]:
    try:
        results = client.analyze_many(
            [source.photo for source in order.sources],
            features=manner.ask(client, order),
            required=order.required,
            timeout=order.timeout,
            concurrency=order.jobs,
        )
    except grpc.RpcError as error:
        raise Failure(trouble(error, server)) from error
    for result in results:
        if result.index == 0 and result.error and explain(result.error).reason == "UNREACHABLE":
            # Nobody is there: one message says it better than one for each of a thousand photos.
            raise Failure(trouble(result.error, server)) from result.error
        yield result


def _show(
    terminal: Terminal, name: str, result: Analyzed, manner: Manner, *, as_json: bool
) -> None:
    if result.response is not None:
        if as_json:
            terminal.line(lines.answered(name, result.response))
        else:
            terminal.show(manner.show(name, result.response, result.seconds))
    elif result.error is not None:
        if as_json:
            terminal.line(lines.failed(name, result.error))
        else:
            terminal.show(report.failed(name, explain(result.error)))


def _code(result: Analyzed, manner: Manner) -> int:
    if result.response is None:
        return EXIT_FAILED
    return EXIT_FULL if manner.full(result.response) else EXIT_PARTIAL


def _ask(client: Client, order: Order) -> tuple[pb.FeatureRequest, ...] | None:
    return ask_for(client, order.features, order.required, order.thresholds, unsure=order.unsure)


def is_full(response: pb.AnalyzeImageResponse) -> bool:
    """Whether every feature answered."""
    return response.completeness == pb.COMPLETENESS_FULL


_PLAIN = Manner(_ask, report.answered, draw, is_full)
