"""The command as a process: terminals, signals, pipes."""

import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.client.fakes import FakeGateway, full_answer, serving

ROOT = Path(__file__).parents[2]
PHOTOS = str(ROOT / "tests" / "photos")
COMMAND = (sys.executable, "-m", "trilens")


def environment(server: str) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT / "client"),
        "TRILENS_SERVER": server,
        "TERM": "xterm",
    }


def test_ctrl_c_stops_at_once_without_a_traceback():
    entered, released = threading.Event(), threading.Event()

    def answer(request):
        entered.set()
        released.wait(60)
        return full_answer()

    with serving(FakeGateway(answer)) as server:
        running = subprocess.Popen(
            [*COMMAND, "analyze", PHOTOS, "--timeout", "50"],
            env=environment(server),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Tests that a script started in the background were told to ignore it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        assert entered.wait(20)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=30)
        released.set()

    assert running.returncode == 130
    assert err.decode().strip() == "stopped"


def test_ctrl_c_while_the_command_is_loaded_stops_it_without_a_traceback(tmp_path):
    (tmp_path / "rich").mkdir()
    loads = "import time; print('loading', flush=True); time.sleep(60)"
    (tmp_path / "rich" / "__init__.py").write_text(loads)
    places = f"{tmp_path}{os.pathsep}{ROOT / 'client'}"

    running = subprocess.Popen(
        [*COMMAND, "analyze", PHOTOS],
        env={**environment("127.0.0.1:1"), "PYTHONPATH": places},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert running.stdout.readline() == b"loading\n"
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=30)

    assert running.returncode == 130
    assert err.decode() == "stopped\n"


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_reader_that_has_seen_enough_ends_the_command_quietly(form):
    with serving(FakeGateway()) as server:
        running = subprocess.Popen(
            [*COMMAND, "analyze", *[PHOTOS] * 50, *form],
            env=environment(server),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        running.stdout.readline()
        running.stdout.close()
        err = running.stderr.read()
        running.stderr.close()
        running.wait(timeout=30)

    assert err == b""
    assert running.returncode == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_results_that_cannot_be_written_are_an_error_and_no_partial_answer(form):
    with serving(FakeGateway()) as server, Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [*COMMAND, "analyze", PHOTOS, *form],
            check=False,
            env=environment(server),
            stdout=full,
            stderr=subprocess.PIPE,
        )

    assert ended.returncode == 3
    assert ended.stderr == b"Error: [Errno 28] No space left on device\n"


def test_many_photos_show_a_bar_on_a_terminal_and_only_there():
    with serving(FakeGateway()) as server:
        terminal, theirs = pty.openpty()
        running = subprocess.Popen(
            [*COMMAND, "analyze", PHOTOS, "--json"],
            env=environment(server),
            stdout=subprocess.PIPE,
            stderr=theirs,
        )
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(terminal, 4096):
                shown += part
        except OSError:  # how Linux ends a terminal whose other side has gone
            pass
        out = running.stdout.read()
        running.stdout.close()
        os.close(terminal)
        assert running.wait(timeout=30) == 0

    assert b"photos" in shown
    assert b"/8" in shown
    assert b"photos" not in out.replace(b"tests/photos", b"")
    assert len(out.splitlines()) == 8


def test_the_command_says_what_to_install_when_its_extra_is_missing():
    # a `click` that cannot be found, in a process of its own
    code = "import sys; sys.modules['click'] = None\nfrom trilens.cli import main; sys.exit(main())"
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment(""), capture_output=True, text=True
    )

    assert ran.returncode == 2
    assert ran.stderr == "this command needs more packages: pip install 'trilens[cli]'\n"
