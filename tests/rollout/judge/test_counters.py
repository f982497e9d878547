from rollout.judge.counters import Counters, Scrape, Series, read_samples

CALLS = Series("calls_total", (("code", "OK"),))
STARTED = Series("process_start_time_seconds", ())


def scrape(source: str, calls: float, started: float = 0, **labels: str) -> Scrape:
    return Scrape(source, {CALLS: calls, STARTED: started}, labels)


def test_the_first_look_only_takes_note():
    _, increases = Counters(at=100).look([scrape("a", 70)], now=110)

    assert increases[CALLS] == 0


def test_increases_of_all_processes_are_added():
    counters, _ = Counters(at=100).look([scrape("a", 70), scrape("b", 5)], now=110)

    _, increases = counters.look([scrape("a", 80), scrape("b", 6)], now=120)

    assert increases[CALLS] == 11


def test_a_process_that_began_after_the_last_look_counts_from_nothing():
    counters, _ = Counters(at=100).look([scrape("a", 70)], now=110)

    _, increases = counters.look([scrape("a", 70), scrape("a/1", 4, started=115)], now=120)

    assert increases[CALLS] == 4


def test_a_process_that_began_after_the_last_look_is_known_by_prometheus_labels_too():
    scraped = (("instance", "10.0.0.7:9090"), ("pod", "detector-canary-1"))
    samples = {CALLS: 4.0, Series(STARTED.name, scraped): 115.0}

    _, increases = Counters(at=110).look([Scrape("a/1", samples)], now=120)

    assert increases[CALLS] == 4


def test_an_old_process_that_is_seen_late_does_not_bring_its_past():
    counters, _ = Counters(at=100).look([scrape("a", 70)], now=110)

    _, increases = counters.look([scrape("b", 9000, started=50)], now=120)

    assert increases[CALLS] == 0


def test_a_counter_that_fell_began_anew():
    counters, _ = Counters(at=100).look([scrape("a", 70)], now=110)

    _, increases = counters.look([scrape("a", 3)], now=120)

    assert increases[CALLS] == 3


def test_what_is_counted_while_a_process_cannot_be_read_is_not_lost():
    counters, _ = Counters(at=100).look([scrape("a", 70)], now=110)
    counters, increases = counters.look([], now=120)
    assert increases == {}

    _, increases = counters.look([scrape("a", 95)], now=130)

    assert increases[CALLS] == 25


def test_a_series_that_appears_in_a_known_process_counts_in_full():
    counters, _ = Counters(at=100).look([Scrape("a", {STARTED: 0})], now=110)

    _, increases = counters.look([scrape("a", 2)], now=120)

    assert increases[CALLS] == 2


def test_what_the_reader_knows_of_a_process_becomes_a_label():
    counters, _ = Counters(at=100).look([scrape("a", 1, track="canary")], now=110)

    _, increases = counters.look([scrape("a", 3, track="canary")], now=120)

    assert {one.label("track"): some for one, some in increases.items()} == {"canary": 2}


def test_a_metrics_page_is_read_with_its_labels_in_order():
    text = '# TYPE calls counter\ncalls_total{track="canary",code="OK"} 7.0\n'

    assert read_samples(text) == {Series("calls_total", (("code", "OK"), ("track", "canary"))): 7.0}
