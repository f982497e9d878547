"""Certificates: one authority, and the three that it signs, made by openssl."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from local.cluster import network

_DAYS: Final = "30"
_KEY: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc")


def make(folder: Path, addresses: Sequence[str]) -> None:
    """Writes NAME.crt and NAME.key for each, and the key that signs service accounts' tokens."""
    folder.mkdir(mode=0o700, parents=True)
    _openssl("req", "-x509", *_KEY, *_named(folder, "ca"), "-subj", "/CN=trilens-test-cluster")
    # Everything that is part of the cluster may do everything in it.
    _sign(folder, "admin", "/O=system:masters/CN=admin")
    _sign(folder, "front-proxy", "/CN=front-proxy")
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    # KEDA's two programs call each other by the full name, the API server by the short one.
    names += [f"*.keda.svc.{network.DOMAIN}", "*.keda.svc"]
    alternatives = [f"DNS:{name}" for name in names] + [f"IP:{ip}" for ip in addresses]
    _sign(folder, "serving", "/CN=serving", f"subjectAltName={','.join(alternatives)}")
    curve = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    accounts = str(folder / "accounts.key")
    _openssl("genpkey", *curve, "-out", accounts)
    _openssl("pkey", "-in", accounts, "-pubout", "-out", str(folder / "accounts.pub"))


def _sign(folder: Path, name: str, subject: str, *extensions: str) -> None:
    usage = ("extendedKeyUsage=serverAuth,clientAuth", "basicConstraints=critical,CA:false")
    added = [word for extension in (*usage, *extensions) for word in ("-addext", extension)]
    authority = ("-CA", str(folder / "ca.crt"), "-CAkey", str(folder / "ca.key"))
    _openssl("req", "-x509", *_KEY, *_named(folder, name), *authority, "-subj", subject, *added)


def _named(folder: Path, name: str) -> tuple[str, ...]:
    files = ("-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.crt"))
    return (*files, "-days", _DAYS)


def _openssl(*words: str) -> None:
    done = subprocess.run(("openssl", *words), capture_output=True, text=True, check=False)  # noqa: S607
    if done.returncode != 0:
        raise RuntimeError(f"openssl {words[0]} failed: {done.stderr}")
