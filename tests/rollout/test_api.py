"""What becomes of an API server's answers, by a server that gives them."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from kubernetes.client import ApiClient, Configuration

from rollout.api import Api, Conflict, Missing, Problem, Refused, Unreachable


@contextmanager
def answering(*answers: tuple[int, object]) -> Iterator[tuple[Api, list[str]]]:
    """An API server that answers so, one after the other, and then like the last one."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, content = answers[min(len(asked), len(answers) - 1)]
            asked.append(f"{self.command} {self.path}")
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815  # http.server says so

        def log_message(self, *_: object) -> None:
            """The test says what was asked."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    configuration = Configuration(host=f"http://127.0.0.1:{server.server_port}")
    client = ApiClient(configuration)
    try:
        yield Api(client, "here"), asked
    finally:
        client.rest_client.pool_manager.clear()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, Missing), (409, Conflict), (403, Refused), (429, Unreachable), (500, Unreachable)],
)
def test_what_the_server_says_becomes_what_can_be_done_about_it(status: int, kind: type[Problem]):
    with (
        answering((status, {"message": "because"})) as (api, _),
        pytest.raises(kind, match="PUT /it: because") as problem,
    ):
        api.replace("/it", {})
    assert problem.value.said == "because"


def test_who_looks_looks_again_and_who_writes_does_not_write_twice():
    with answering((503, {}), (200, {"kind": "It"})) as (api, asked):
        assert api.get("/it") == {"kind": "It"}
    assert asked == ["GET /it", "GET /it"]

    with answering((503, {}), (200, {})) as (api, asked), pytest.raises(Unreachable):
        api.create("/it", {})
    assert len(asked) == 1


def test_what_is_not_there_is_none_and_what_is_to_be_deleted_is_gone():
    with answering((404, {"message": "no"})) as (api, _):
        assert api.get("/it") is None
        api.delete("/it")


def test_an_empty_list_may_be_null():
    with answering((200, {"items": None})) as (api, _):
        assert api.items("/them", "a=b") == []
        assert api.names("/them", "a=b") == []
