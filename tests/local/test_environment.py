import subprocess
import sys
from pathlib import Path

from local import environment


def test_uv_looks_where_pip_is_told_to_look_and_a_variable_counts_more_than_a_file():
    listed = """\
:env:.disable-pip-version-check='1'
:env:.index-url='https://variable.example.com/simple'
global.extra-index-url='\\nhttps://a.example.com\\nhttps://b.example.com'
global.index-url='https://file.example.com/simple'
"""

    assert environment.indexes(listed) == {
        "UV_DEFAULT_INDEX": "https://variable.example.com/simple",
        "UV_INDEX": "https://a.example.com https://b.example.com",
    }


def test_uv_looks_where_it_always_does_when_pip_is_told_nothing():
    assert environment.indexes("") == {}


def test_the_client_and_its_command_work_from_the_checkout(tmp_path: Path):
    folder = tmp_path / "environment"
    command = [sys.executable, "-m", "venv", "--without-pip", str(folder)]
    subprocess.run(command, check=True)

    environment.link_client(folder)

    where = [str(folder / "bin/python"), "-c", "import trilens; print(trilens.__file__)"]
    found = subprocess.run(where, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert Path(found.stdout.strip()).parent == environment.ROOT / "client" / "trilens"
    ran = subprocess.run([str(folder / "bin/trilens")], capture_output=True, text=True, check=False)
    assert "pip install 'trilens[cli]'" in ran.stderr  # an empty environment: ours to say so
