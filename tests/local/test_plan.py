import json

import pytest

from local import plan


@pytest.mark.parametrize("cores", [4, 6, 8, 11, 64])
def test_four_processes_have_as_many_threads_as_there_are_cores(cores):
    gateway = plan.gateway(0, cores, {"classifier": 1, "captioner": 2, "detector": 3})
    parts = (*plan.services(cores), gateway)

    assert sum(int(part.settings["TRILENS_THREADS"]) for part in parts) == cores


def test_every_process_has_a_thread_even_on_one_core():
    assert {part.settings["TRILENS_THREADS"] for part in plan.services(1)} == {"1"}


def test_one_process_gets_every_core_and_hosts_its_own_models():
    part = plan.alone(0, 8)

    assert part.settings["TRILENS_THREADS"] == "8"
    assert "TRILENS_FEATURES" not in part.settings


def test_the_gateway_finds_each_service_where_it_listens():
    part = plan.gateway(50051, 4, {"classifier": 1, "captioner": 2, "detector": 3})

    features = json.loads(part.settings["TRILENS_FEATURES"])
    assert features["attributes"] == {"task": "classification", "target": "127.0.0.1:1"}
    assert features["captions"]["target"] == "127.0.0.1:2"
    assert features["objects"]["target"] == "127.0.0.1:3"
    assert part.settings["TRILENS_PORT"] == "50051"
