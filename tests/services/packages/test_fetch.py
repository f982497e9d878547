"""Packages fetched over real HTTP: whole and the right one, or a line that says what is wrong."""

import gzip
import hashlib
import io
import shutil
import tarfile
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from services.packages import InvalidPackage, open_package
from services.packages.command import commands
from services.packages.fetch import fetch


class Shelf:
    """A web server's files; `sent`: the share of each that it sends before it breaks off."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.sent = 1.0
        self.moved: dict[str, str] = {}


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def server(shelf: Shelf) -> Iterator[str]:
    """The address of a web server with the shelf's files."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path in shelf.moved:
                self.send_response(302)
                self.send_header("Location", shelf.moved[path])
                self.end_headers()
            elif path not in shelf.files:
                self.send_error(404)
            else:
                content = shelf.files[path]
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: int(len(content) * shelf.sent)])

        def log_message(self, *_: object) -> None:
            """Tells nobody."""

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as address:
        yield address


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[str]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def packed(folder: Path, mode: str = "w:gz", within: str = "") -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode=mode) as files:
        files.add(folder, within or ".")
    return archive.getvalue()


def digest(folder: Path) -> str:
    return hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()


def hostile(name: str, **fields: object) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as files:
        member = tarfile.TarInfo(name)
        member.size = 5
        for field, value in fields.items():
            setattr(member, field, value)
        files.addfile(member, io.BytesIO(b"hello"))
    return archive.getvalue()


def header(kind: bytes, size: int = 0, name: str = "x") -> bytes:
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT)


def asked(uri: str, digest: str, target: Path) -> Result:
    return CliRunner().invoke(commands, ["fetch", uri, "--sha256", digest, str(target)])


@pytest.mark.parametrize("within", ["", "objects/1.2.3"])
@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_an_archive_becomes_the_package_that_was_asked_for(
    tmp_path: Path, folder: Path, shelf: Shelf, server: str, mode: str, within: str
) -> None:
    shelf.files["/objects.tar"] = packed(folder, mode, within)
    target = tmp_path / "models" / "objects" / "1.2.3"

    ended = asked(f"{server}/objects.tar", digest(folder), target)

    assert (ended.exit_code, ended.output) == (0, f"objects 1.2.3 is in {target}\n")
    assert open_package(target).digest == digest(folder)
    assert [path.name for path in target.parent.iterdir()] == ["1.2.3"]


def test_a_redirect_to_nowhere_keeps_what_may_be_secret(
    tmp_path: Path, shelf: Shelf, server: str
) -> None:
    shelf.moved["/objects.tar"] = "http://me:secret@127.0.0.1/objects.tar"

    ended = asked(f"{server}/objects.tar", "0" * 64, tmp_path / "got")

    assert ended.output == (
        f"Error: {server}/objects.tar: its address, or one it leads to, is malformed\n"
    )


def test_a_redirect_is_followed(tmp_path: Path, folder: Path, shelf: Shelf, server: str) -> None:
    shelf.moved["/latest"] = "/objects.tar"
    shelf.files["/objects.tar"] = packed(folder)

    assert fetch(f"{server}/latest", digest(folder), tmp_path / "got").manifest.name == "objects"


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_an_archive_may_be_a_file_too(tmp_path: Path, folder: Path, prefix: str) -> None:
    (tmp_path / "objects.tar").write_bytes(packed(folder))

    package = fetch(f"{prefix}{tmp_path}/objects.tar", digest(folder), tmp_path / "got")

    assert package.path == tmp_path / "got"


def test_what_is_there_already_is_not_fetched_again(tmp_path: Path, folder: Path) -> None:
    assert fetch("http://127.0.0.1:1/gone", digest(folder), folder).path == folder


def test_what_is_there_already_but_is_another_package_is_refused(folder: Path) -> None:
    with pytest.raises(InvalidPackage, match="not 0000"):
        fetch("http://127.0.0.1:1/gone", "0" * 64, folder)


def test_another_digest_is_refused_with_both(
    tmp_path: Path, folder: Path, shelf: Shelf, server: str
) -> None:
    shelf.files["/objects.tar"] = packed(folder)

    ended = asked(f"{server}/objects.tar", "f" * 64, tmp_path / "got")

    assert ended.exit_code == 1
    assert ended.output == (
        f"Error: {server}/objects.tar: the SHA-256 of manifest.json is {digest(folder)}, "
        f"not {'f' * 64} as asked for\n"
    )
    assert list(tmp_path.glob("*got*")) == []


def test_a_file_that_its_manifest_does_not_vouch_for_is_refused(
    tmp_path: Path, folder: Path, shelf: Shelf, server: str
) -> None:
    (folder / "network.onnx").write_bytes(b"exchanged!")
    shelf.files["/objects.tar"] = packed(folder)

    ended = asked(f"{server}/objects.tar", digest(folder), tmp_path / "got")

    assert ended.exit_code == 1
    assert "network.onnx: SHA-256 is" in ended.output
    assert not (tmp_path / "got").exists()


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
@pytest.mark.parametrize("sent", [0.0, 0.01, 0.5, 0.9])
def test_a_download_that_breaks_off_leaves_nothing_behind(
    tmp_path: Path, folder: Path, shelf: Shelf, server: str, sent: float, mode: str
) -> None:
    shelf.files["/objects.tar"] = packed(folder, mode)
    shelf.sent = sent

    ended = asked(f"{server}/objects.tar", digest(folder), tmp_path / "got")

    assert ended.exit_code == 1
    assert ended.output.count("\n") == 1
    assert "broke off" in ended.output or "not all of one" in ended.output, ended.output
    assert list(tmp_path.glob("*got*")) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (hostile("../escaped"), "'../escaped' leaves the archive's own folder"),
        (hostile("/etc/escaped"), "'/etc/escaped' leaves the archive's own folder"),
        (hostile("a/../../escaped"), "'a/../../escaped' leaves the archive's own folder"),
        (hostile("link", type=tarfile.SYMTYPE, linkname="/etc"), "'link' is neither a file nor"),
        (hostile("link", type=tarfile.LNKTYPE, linkname="x"), "'link' is neither a file nor"),
        (hostile("null", type=tarfile.CHRTYPE), "'null' is neither a file nor a folder"),
        (hostile("."), "'.' is no file's name"),
        (hostile("x", pax_headers={"path": "a\0b"}), "'a\\x00b' is no file's name"),
        (hostile("readme.txt"), "it holds 0 files named manifest.json"),
        (b"<html>Not here.</html>", "no tar archive"),
        (b"", "no tar archive"),
    ],
)
def test_an_archive_that_is_no_packages_is_refused(
    tmp_path: Path, shelf: Shelf, server: str, content: bytes, reason: str
) -> None:
    shelf.files["/objects.tar"] = content

    ended = asked(f"{server}/objects.tar", "0" * 64, tmp_path / "models" / "got")

    assert ended.exit_code == 1
    assert reason in ended.output
    assert ended.output.count("\n") == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["models"]


def test_an_archive_is_not_unpacked_beyond_a_bound(
    tmp_path: Path, folder: Path, shelf: Shelf, server: str
) -> None:
    shelf.files["/objects.tar"] = packed(folder)

    with pytest.raises(InvalidPackage, match="unpacked it is larger than 1000 bytes"):
        fetch(f"{server}/objects.tar", digest(folder), tmp_path / "got", most_bytes=1000)


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (header(tarfile.XHDTYPE, 64 << 20), "a header of 67108864 bytes"),
        (header(tarfile.XGLTYPE, 64 << 20), "a header of 67108864 bytes"),
        (header(tarfile.GNUTYPE_LONGNAME, 64 << 20), "a header of 67108864 bytes"),
        (header(tarfile.GNUTYPE_SPARSE), "'x' is stored with holes"),
        (header(tarfile.REGTYPE, 64 << 20, "manifest.json"), "the SHA-256 of manifest.json is"),
    ],
    ids=["header", "header of all", "long name", "sparse", "manifest"],
)
def test_an_archive_costs_little_memory_until_its_digest_vouches_for_it(
    tmp_path: Path, shelf: Shelf, server: str, head: bytes, reason: str
) -> None:
    shelf.files["/bomb.tgz"] = gzip.compress(head + bytes((64 << 20) + 1024), 1)
    tracemalloc.start()
    try:
        ended = asked(f"{server}/bomb.tgz", "0" * 64, tmp_path / "got")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert reason in ended.output
    assert ended.output.count("\n") == 1
    assert most < 32 << 20
    assert list(tmp_path.glob("*got*")) == []


def test_an_archive_of_members_without_end_is_given_up(
    tmp_path: Path, shelf: Shelf, server: str
) -> None:
    shelf.files["/bomb.tgz"] = gzip.compress(header(tarfile.DIRTYPE) * 20_000, 1)

    ended = asked(f"{server}/bomb.tgz", "0" * 64, tmp_path / "got")

    assert "it holds more than 10000 files and folders" in ended.output


def test_headers_that_hold_no_numbers_are_no_fault_of_the_address(
    tmp_path: Path, shelf: Shelf, server: str
) -> None:
    shelf.files["/objects.tar"] = hostile("x", pax_headers={"GNU.sparse.size": "many"})

    ended = asked(f"{server}/objects.tar", "0" * 64, tmp_path / "got")

    assert "no tar archive, or not all of one: invalid literal for int()" in ended.output


def test_a_missing_file_is_told_as_the_server_tells_it(tmp_path: Path, server: str) -> None:
    ended = asked(f"{server}/gone.tar?signature=secret", "0" * 64, tmp_path / "got")

    assert ended.exit_code == 1
    assert ended.output == f"Error: {server}/gone.tar: the server answers 404 Not Found\n"


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("http://127.0.0.1:1/x.tar", "127.0.0.1 cannot be reached: [Errno 111] Connection refused"),
        ("http://me:secret@127.0.0.1:1/x.tar", "http://127.0.0.1:1/x.tar: 127.0.0.1 cannot"),
        ("http://me:secret@127.0.0.1/x.tar", "http://127.0.0.1/x.tar: its address, or one it"),
        ("http://127.0.0.1/x y.tar?signature=secret", "http://127.0.0.1/x y.tar: its address"),
        ("http://me:secret@[::1/x.tar", "the package: its address, or one it leads to, is"),
        ("http://nowhere.invalid/x.tar", "nowhere.invalid cannot be reached"),
        ("/nowhere/x.tar", "/nowhere/x.tar: cannot be read: No such file or directory"),
        ("s3://bucket/x.tar", "fetched from http(s) and file://, not s3://"),
    ],
)
def test_what_cannot_be_reached_is_told_in_a_line(tmp_path: Path, uri: str, reason: str) -> None:
    ended = asked(uri, "0" * 64, tmp_path / "got")

    assert ended.exit_code == 1
    assert reason in ended.output
    assert "secret" not in ended.output
    assert ended.output.count("\n") == 1


def test_an_unfinished_fetch_before_is_in_nobodys_way(
    tmp_path: Path, folder: Path, shelf: Shelf, server: str
) -> None:
    shutil.copytree(folder, tmp_path / ".got.unfinished")
    shelf.files["/objects.tar"] = packed(folder)

    fetch(f"{server}/objects.tar", digest(folder), tmp_path / "got")

    assert not (tmp_path / ".got.unfinished").exists()
