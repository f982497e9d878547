"""Fetches packages before a server starts; lets in only what their digest vouches for."""

import hashlib
import http.client
import shutil
import ssl
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Final
from urllib.parse import unquote, urlsplit, urlunsplit

from services.manifest import FILE
from services.packages import InvalidPackage, Package, open_package

MOST_BYTES: Final = 64 << 30  # unpacked; an archive that holds more is no model's
SECONDS: Final = 60.0  # without a byte, until a server counts as silent

_CHUNK_BYTES: Final = 1 << 20
# What tarfile keeps of an archive in memory before any digest vouches for it.
_MOST_MEMBERS: Final = 10_000
_MOST_HEADER_BYTES: Final = 1 << 20
_FURTHER_HEADERS: Final = frozenset(
    (
        *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
        *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    )
)
_DOWNLOADED: Final = ("http", "https")


def fetch(uri: str, digest: str, target: Path, most_bytes: int = MOST_BYTES) -> Package:
    """Makes `target` the package with that digest, from a tar archive at `uri`.

    `uri` is http(s), file:// or a path; compressed or not, the package at its root or in a folder.
    `digest` is the SHA-256 of manifest.json. Raises InvalidPackage, which names what is in the way.
    """
    if target.exists():
        return _expected(target, digest)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside it: then all of it appears at once, or nothing.
    unfinished = target.parent / f".{target.name}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        with _opened(uri) as archive:
            _unpack(archive, unfinished, most_bytes)
        _expected(_found(unfinished), digest).path.rename(target)
    except InvalidPackage as problem:
        raise InvalidPackage(f"{shown(uri)}: {problem}") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return open_package(target)


def shown(uri: str) -> str:
    """The URI without what may be secret: passwords, and the signatures of signed URLs."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return "the package"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


@contextmanager
def _opened(uri: str) -> Iterator[tarfile.TarFile]:
    try:
        with _stream(uri) as stream, _archive(stream) as archive:
            yield archive
    except urllib.error.HTTPError as error:
        error.close()
        raise InvalidPackage(f"the server answers {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise InvalidPackage(
            f"{urlsplit(uri).hostname} cannot be reached: {error.reason}"
        ) from None
    except (http.client.InvalidURL, ValueError):
        # What it says holds parts of the address, and with them what may be secret.
        raise InvalidPackage("its address, or one it leads to, is malformed") from None
    except http.client.HTTPException as error:
        raise InvalidPackage(f"the download broke off: {error!r}") from None
    except (tarfile.TarError, EOFError) as error:
        raise InvalidPackage(f"no tar archive, or not all of one: {error}") from None
    except OSError as error:
        raise InvalidPackage(f"cannot be read: {error.strerror or error}") from None


def _stream(uri: str) -> IO[bytes]:
    parts = urlsplit(uri)
    if parts.scheme in _DOWNLOADED:
        context = ssl.create_default_context()
        stream: IO[bytes] = urllib.request.urlopen(uri, timeout=SECONDS, context=context)  # noqa: S310
        return stream
    if parts.scheme == "file":
        return Path(unquote(parts.path)).open("rb")
    if parts.scheme:
        raise InvalidPackage(
            f"packages are fetched from http(s) and file://, not {parts.scheme}://"
        )
    return Path(uri).open("rb")


@contextmanager
def _archive(stream: IO[bytes]) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(fileobj=stream, mode="r|*", tarinfo=_Member) as archive:
            yield archive
    except ValueError as error:  # of headers that hold no numbers where numbers belong
        raise tarfile.ReadError(str(error)) from error


class _Member(tarfile.TarInfo):
    """A member whose headers are read only if they are small."""

    # What tarfile calls once it has read a header; meant to be overridden, by its own words.
    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _FURTHER_HEADERS and self.size > _MOST_HEADER_BYTES:
            raise InvalidPackage(f"a header of {self.size} bytes: no package needs one")
        if self.type == tarfile.GNUTYPE_SPARSE:
            raise InvalidPackage(f"{self.name!r} is stored with holes: pack it without --sparse")
        member: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        return member


def _unpack(archive: tarfile.TarFile, folder: Path, most_bytes: int) -> None:
    left = most_bytes
    for number, member in enumerate(archive):
        if number >= _MOST_MEMBERS:
            raise InvalidPackage(f"it holds more than {_MOST_MEMBERS} files and folders")
        name = PurePosixPath(member.name)
        if name.is_absolute() or ".." in name.parts:
            raise InvalidPackage(f"{member.name!r} leaves the archive's own folder")
        if member.isdir():
            continue
        if not member.isreg():
            raise InvalidPackage(f"{member.name!r} is neither a file nor a folder")
        if not name.parts or "\0" in member.name:
            raise InvalidPackage(f"{member.name!r} is no file's name")
        left -= member.size
        if left < 0:
            raise InvalidPackage(f"unpacked it is larger than {most_bytes} bytes")
        path = folder.joinpath(*name.parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = archive.extractfile(member)
        assert content is not None  # noqa: S101 - it is a file
        with path.open("xb") as file:
            shutil.copyfileobj(content, file, _CHUNK_BYTES)
            if file.tell() != member.size:
                raise InvalidPackage(f"{member.name!r} ends too early: the archive is not whole")


def _found(folder: Path) -> Path:
    """The one package in a folder."""
    found = list(folder.rglob(FILE))
    if len(found) != 1:
        raise InvalidPackage(f"it holds {len(found)} files named {FILE}, where a package has one")
    return found[0].parent


def _expected(folder: Path, digest: str) -> Package:
    # Before the manifest is believed in anything.
    try:
        with (folder / FILE).open("rb") as manifest:
            actual = hashlib.file_digest(manifest, "sha256").hexdigest()
    except OSError as error:
        raise InvalidPackage(f"{folder / FILE}: {error.strerror}") from None
    if actual != digest:
        raise InvalidPackage(f"the SHA-256 of {FILE} is {actual}, not {digest} as asked for")
    return open_package(folder)
