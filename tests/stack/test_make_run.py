"""What `make run` starts: a real stack with the default models, as a person meets it."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from tests.stack.launching import OBJECTS_ONLY, ROOT, Launched, all_gone, launched

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def one() -> Iterator[Launched]:
    with launched() as stack:
        yield stack.until_answered()


def run(command: str) -> "subprocess.CompletedProcess[str]":
    """Runs the command as a person does who pastes it into a terminal."""
    shell = ("sh", "-c", command)
    return subprocess.run(shell, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_one_process_answers_a_photo_with_every_feature(one: Launched):
    assert len(one.parts) == 1
    for word in ("attributes", "captions", "objects", "person"):
        assert word in one.printed
    assert "failed" not in one.printed


def test_the_printed_commands_work_when_pasted(one: Launched):
    assert run(one.command("trilens analyze")).returncode == 0
    listed = run(one.command("trilens models list"))
    assert "objects" in listed.stdout


def test_a_client_that_knows_no_proto_files_gets_an_answer_the_way_that_is_printed(one: Launched):
    # buf stands in for grpcurl: it, too, learns the contract from the server.
    command = one.command("AnalyzeImage")
    photo, call = command.split("| grpcurl -plaintext -d @ ")
    server, method = call.split()
    buf = f"{sys.prefix}/bin/buf curl --protocol grpc --http2-prior-knowledge -d @-"

    answer = run(f"{photo} | {buf} http://{server}/{method}")

    assert json.loads(answer.stdout)["completeness"] == "COMPLETENESS_FULL", answer.stderr


def test_ctrl_c_ends_everything_cleanly():
    with launched(TRILENS_FEATURES=OBJECTS_ONLY) as stack:
        stack.until_answered().send(signal.SIGINT)
        code, errors = stack.ended()

        assert (code, errors) == (0, "")
        assert stack.printed.endswith("stopped\n")
        assert all_gone(stack.parts)


def test_four_processes_answer_and_end_as_one_does():
    with launched("--processes", "4") as stack:
        stack.until_answered()
        assert len(stack.parts) == 4
        assert "failed" not in stack.printed
        assert "person" in stack.printed

        stack.send(signal.SIGINT)
        code, errors = stack.ended()

        assert (code, errors) == (0, "")
        assert all_gone(stack.parts)


def test_nothing_stays_behind_when_it_is_killed():
    with launched(TRILENS_FEATURES=OBJECTS_ONLY) as stack:
        stack.until_answered().send(signal.SIGKILL)

        assert all_gone(stack.parts)


def test_a_model_that_does_not_load_is_the_reason_it_ends_with(tmp_path):
    feature = {"task": "detection", "model": str(tmp_path / "nowhere")}
    with launched(TRILENS_FEATURES=json.dumps({"objects": feature})) as stack:
        code, errors = stack.ended()

    assert code == 1
    assert "nowhere" in errors
    assert "No such file" in errors


def test_a_process_that_dies_ends_the_whole_with_a_reason():
    with launched(TRILENS_FEATURES=OBJECTS_ONLY) as stack:
        psutil.Process(stack.until_answered().parts[0].pid).kill()
        code, errors = stack.ended()

    assert code == 1
    assert "gateway" in errors


def test_a_photo_that_is_none_is_the_reason_it_ends_with():
    with launched("--photo", "Makefile", TRILENS_FEATURES=OBJECTS_ONLY) as stack:
        code, errors = stack.ended()

    assert code == 1
    assert errors.startswith("stopped: Makefile: ")
    assert "image.content" in errors
    assert "Traceback" not in errors


def test_a_photo_that_is_not_there_is_told_before_anything_starts():
    with launched("--photo", "no/such/photo.jpg") as stack:
        code, errors = stack.ended()

    assert code == 2
    assert "no/such/photo.jpg" in errors
