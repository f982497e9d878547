"""`trilens analyze`: photos in, one result each out, and an exit code that sums them up."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import grpc

from trilens.cli import lines, report
from trilens.cli.exits import EXIT_FAILED, EXIT_FULL, EXIT_PARTIAL
from trilens.cli.features import Threshold, ask_for
from trilens.cli.photos import Source
from trilens.cli.save import save
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


def analyze(
    client: Client, server: str, order: Order, *, as_json: bool, pictures: Mapping[int, Path]
) -> int:
    """Analyses the photos, writes each result as its turn comes, and gives the exit code.

    `pictures` says which photos, by index, are drawn, and into which file. Raises Failure if the
    server cannot be reached at all.
    """
    terminal = Terminal()
    code = EXIT_FULL
    with (
        terminal.progress(len(order.sources)) as one_more,
        closing(_results(client, server, order)) as results,
    ):
        for result in results:
            source = order.sources[result.index]
            _show(terminal, source.name, result, as_json=as_json)
            if result.response is not None and result.index in pictures:
                save(source, result.response, pictures[result.index])
            code = max(code, _code(result))
            one_more()
    return code


def _results(client: Client, server: str, order: Order) -> Generator[Analyzed, None, None]:
    try:
        results = client.analyze_many(
            [source.photo for source in order.sources],
            features=ask_for(
                client, order.features, order.required, order.thresholds, unsure=order.unsure
            ),
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


def _show(terminal: Terminal, name: str, result: Analyzed, *, as_json: bool) -> None:
    if result.response is not None:
        if as_json:
            terminal.line(lines.answered(name, result.response))
        else:
            terminal.show(report.answered(name, result.response, result.seconds))
    elif result.error is not None:
        if as_json:
            terminal.line(lines.failed(name, result.error))
        else:
            terminal.show(report.failed(name, explain(result.error)))


def _code(result: Analyzed) -> int:
    if result.response is None:
        return EXIT_FAILED
    full = result.response.completeness == pb.COMPLETENESS_FULL
    return EXIT_FULL if full else EXIT_PARTIAL
