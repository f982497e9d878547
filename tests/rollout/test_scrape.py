"""What is read of Prometheus is what each pod's own page says, once."""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from rollout.judge.counters import Series
from rollout.scrape import PrometheusPages, Unread
from tests.harness import ROOT

OWN = {"completeness": "full", "lane": "canary"}
ANSWERS = Series("trilens_answers_total", tuple(sorted(OWN.items())))
MONITOR = {"namespace": "photos", "pod": "g1", "instance": "10.0.0.7:9090", "job": "photos/trilens"}
ANNOTATED = MONITOR | {"job": "kubernetes-pods"}
REPLICA = MONITOR | {"prometheus_replica": "b"}


class Prometheus:
    """Answers every query with the same."""

    def __init__(self) -> None:
        self.status = 200
        self.text = ""
        self.query = ""

    def has(self, *targets: Mapping[str, str], value: float = 7) -> None:
        """A pod's series, as each of those targets has them."""
        series = [
            {"metric": {"__name__": name, **target, **own}, "value": [0, str(number)]}
            for target in targets
            for name, own, number in (
                ("process_start_time_seconds", {}, 1000.0),
                (ANSWERS.name, OWN, value),
            )
        ]
        self.text = json.dumps({"status": "success", "data": {"result": series}})


@contextmanager
def prometheus() -> Iterator[tuple[Prometheus, PrometheusPages]]:
    told = Prometheus()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            (told.query,) = parse_qs(urlsplit(self.path).query)["query"]
            self.send_response(told.status)
            self.end_headers()
            self.wfile.write(told.text.encode())

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield told, PrometheusPages(f"http://127.0.0.1:{server.server_port}", "photos")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_pods_series_are_those_of_its_page_without_what_prometheus_adds():
    with prometheus() as (told, pages):
        told.has(MONITOR)
        page = pages.pages(["g1"])["g1"]

    assert page == {Series("process_start_time_seconds", ()): 1000, ANSWERS: 7}


def test_a_pod_that_is_scraped_twice_is_counted_once():
    for twice in ((MONITOR, ANNOTATED), (MONITOR, REPLICA), (REPLICA, MONITOR)):
        with prometheus() as (told, pages):
            told.has(*twice)
            page = pages.pages(["g1"])["g1"]

        assert not isinstance(page, Unread)
        assert [value for series, value in page.items() if series.name == ANSWERS.name] == [7]


def test_pods_that_prometheus_does_not_know_are_named():
    with prometheus() as (told, pages):
        told.has(MONITOR)
        read = pages.pages(["g1", "g2"])

    assert str(read["g2"]) == "g2: Prometheus has no metrics"


def test_an_answer_that_is_none_is_told_as_it_came():
    with prometheus() as (told, pages):
        told.status, told.text = 401, "log in first"
        (unread,) = pages.pages(["g1"]).values()

    assert isinstance(unread, Unread)
    assert str(unread).endswith("/api/v1/query answers 401: log in first")


def test_prometheus_is_asked_for_all_that_the_judge_reads():
    judge = (ROOT / "rollout" / "judge" / "reading.py").read_text("utf-8")
    with prometheus() as (told, pages):
        told.has(MONITOR)
        pages.pages(["g1"])

    names = re.findall(r'"(trilens_\w+)"', judge)
    assert names
    assert all(re.search(rf"\b{name}\b", told.query) for name in names)
