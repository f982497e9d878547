"""Images: built from Dockerfiles, and brought into a cluster's containerd, without a registry."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from local.cluster import names, oci, programs
from local.cluster.alone import alone
from local.cluster.needs import check_images
from local.cluster.place import Living, Place

BASE: Final = "localhost/python:3.11"

_RELEASE: Final = "bookworm"  # its Python is 3.11
_PACKAGES: Final = "ca-certificates,python3,python3-venv"
# What a container needs least.
_STRIPPED: Final = (
    "usr/share/doc/*",
    "usr/share/man/*",
    "usr/share/info/*",
    "usr/share/locale/*",
    "var/cache/apt/*",
    "var/lib/apt/lists/*",
    "var/log/*",
)
_BASE_FILE: Final = """\
FROM scratch
ADD root.tar /
RUN ln -s python3 /usr/bin/python
CMD ["python3"]
"""
_ALONE: Final = 'mount -t tmpfs none /var/lib && exec "$@"'
# A package index that the machine trusts is trusted while an image is built, too.
_TRUSTED: Final = Path("/etc/ssl/certs/ca-certificates.crt")


class NotBuilt(Exception):
    """An image could not be built or loaded; the text says why."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an image is built from."""

    dockerfile: Path
    context: Path
    target: str = ""  # a stage of the Dockerfile; "": the last one
    arguments: Mapping[str, str] = field(default_factory=dict)


def build(name: str, recipe: Recipe) -> Path:
    """Builds an image and returns its archive; layers that did not change are not built again."""
    check_images()
    with alone("images"):
        return _build(name, recipe)


def build_base() -> None:
    """Makes Debian with Python, once; elsewhere the Dockerfiles stand on `python:3.11-slim`."""
    check_images()
    with alone("images"):
        _build_base()


def archive(name: str) -> Path:
    """The OCI archive that an image of that name is built into."""
    return _folder() / f"{name.replace('/', '_').replace(':', '_')}.tar"


def load(living: Living, file: Path) -> None:
    """Loads the images of an OCI archive, to be had by their tags and by their digests."""
    for name in oci.names(file):
        base = f"--base-name={name[: name.rindex(':')]}"
        _run(*_ctr(living, "import", "--local", "--digests", base, str(file)))


def tag(living: Living, name: str, other: str) -> None:
    """Gives an image that was loaded a second name."""
    _run(*_ctr(living, "tag", "--force", name, other))


def load_own(place: Place, living: Living) -> None:
    """Loads what the cluster itself needs."""
    load_program(place, living, "pause", oci.PAUSE)
    load_program(place, living, "probe", oci.PROBE)
    load_program(place, living, "coredns", names.IMAGE)


def load_program(place: Place, living: Living, program: str, name: str) -> None:
    """Loads an image with nothing but that program."""
    file = place.folder / f"{program}.tar"
    oci.archive(programs.path(program), name, file)
    load(living, file)
    file.unlink()


def _ctr(living: Living, *words: str) -> tuple[str, ...]:
    # With the cluster's mounts: its socket is there, and `import --local` unpacks on this side.
    ctr = (str(programs.path("ctr")), "--namespace=k8s.io", "images", *words)
    return living.within(*ctr, mounts=True)


def _build(name: str, recipe: Recipe) -> Path:
    file = archive(name)
    number, packed = file.with_suffix(".built"), file.with_suffix(".packed")
    words = [f"--build-arg={key}={value}" for key, value in recipe.arguments.items()]
    if recipe.target:
        words.append(f"--target={recipe.target}")
    words.append(f"--iidfile={number}")
    _bud(name, "--file", str(recipe.dockerfile), *words, *_trust(), str(recipe.context))
    # Packing takes longer than building: what is packed already is not packed again.
    if not (file.exists() and packed.exists() and packed.read_text() == number.read_text()):
        unfinished = file.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        _buildah("push", "--quiet", name, f"oci-archive:{unfinished}:{name}")
        packed.unlink(missing_ok=True)
        unfinished.replace(file)  # whoever loads the one before goes on with it
        number.replace(packed)
    return file


def _build_base() -> None:
    known = _command("inspect", "--type", "image", BASE)
    if subprocess.run(known, capture_output=True, check=False).returncode == 0:
        return
    print(f"building {BASE} ...", flush=True)
    root, context = _folder() / "root", _folder() / "base"
    for folder in (root, context):
        shutil.rmtree(folder, ignore_errors=True)
    context.mkdir(parents=True)
    _run("debootstrap", "--variant=minbase", f"--include={_PACKAGES}", _RELEASE, str(root))
    for pattern in _STRIPPED:
        for path in root.glob(pattern):
            linked = path.is_symlink() or not path.is_dir()
            path.unlink() if linked else shutil.rmtree(path)
    _run("tar", "--create", f"--directory={root}", f"--file={context}/root.tar", ".")
    (context / "Dockerfile").write_text(_BASE_FILE)
    _bud(BASE, str(context))
    for folder in (root, context):
        shutil.rmtree(folder)


def _bud(name: str, *words: str) -> None:
    _buildah("bud", "--quiet", "--isolation", "chroot", "--layers", "--tag", name, *words)


def _trust() -> tuple[str, ...]:
    volumes = [f"{_TRUSTED}:{_TRUSTED}:ro"] if _TRUSTED.exists() else []
    # Not those of folders: they are not seen in there.
    settings = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    if "://" not in settings.get("PIP_FIND_LINKS", ""):
        settings.pop("PIP_FIND_LINKS", None)
    if settings:
        file = _folder() / "pip.conf"
        lines = [f"{name[4:].lower().replace('_', '-')} = {v}" for name, v in settings.items()]
        file.write_text("\n".join(["[global]", *lines, ""]))
        volumes.append(f"{file}:/etc/pip.conf:ro")
    return tuple(word for volume in volumes for word in ("--volume", volume))


def _buildah(*words: str) -> None:
    _run(*_command(*words))


def _command(*words: str) -> tuple[str, ...]:
    # A store of our own: removing the cache folder removes it. Its mounts end with the command.
    store = ("--root", str(_folder() / "store"), "--runroot", str(_folder() / "run"))
    buildah = ("buildah", *store, "--storage-driver", "overlay", *words)
    # It writes into /etc/cni and /var/lib/containers besides; what it sees there goes with it, too.
    settings = _folder() / "containers.conf"
    settings.write_text(f'[network]\nnetwork_config_dir = "{_folder() / "run" / "net.d"}"\n')
    conf = f"CONTAINERS_CONF={settings}"
    return ("unshare", "--mount", "sh", "-c", _ALONE, "sh", "env", conf, *buildah)


def _folder() -> Path:
    folder = programs.cache() / "images"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise NotBuilt(f"{' '.join(command)}:\n" + "\n".join(words[-15:]))
