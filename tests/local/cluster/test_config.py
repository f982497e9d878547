import json
import shutil
import ssl
import subprocess
import tomllib
from pathlib import Path

import pytest

from local.cluster import certificates, config, network
from local.cluster.place import Place
from local.cluster.plan import parts

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cluster")
    certificates.make(folder / "keys", (network.NODE, network.API))
    config.write(folder, "trilens-one")
    return folder


def test_every_certificate_is_signed_by_the_clusters_own_authority(folder: Path):
    for name in ("admin", "serving", "front-proxy"):
        authority = ("-CAfile", str(folder / "keys/ca.crt"))
        verify = ("openssl", "verify", *authority, str(folder / f"keys/{name}.crt"))
        assert subprocess.run(verify, check=False, capture_output=True).returncode == 0, name
        ssl.create_default_context().load_cert_chain(
            folder / f"keys/{name}.crt", folder / f"keys/{name}.key"
        )


def test_the_api_server_is_who_it_says_by_both_of_its_addresses(folder: Path):
    for address in (network.NODE, network.API):
        check = ("openssl", "x509", "-noout", "-checkip", address)
        file = ("-in", str(folder / "keys/serving.crt"))
        said = subprocess.run((*check, *file), check=True, capture_output=True, text=True).stdout
        assert "does match" in said


def test_a_kubelet_knows_only_pods_of_its_own_cgroup(folder: Path):
    kubelet = json.loads((folder / "kubelet.json").read_text())

    assert kubelet["cgroupRoot"] == "/trilens-one"


def test_containerd_is_told_the_pause_image_and_where_the_network_is(folder: Path):
    content = tomllib.loads((folder / "containerd.toml").read_text())
    plugins = content["plugins"]

    assert plugins["io.containerd.cri.v1.images"]["pinned_images"]["sandbox"] == config.PAUSE
    cni = plugins["io.containerd.cri.v1.runtime"]["cni"]
    assert (Path(cni["conf_dir"]) / "pods.conflist").exists()


def test_keys_and_the_kubeconfig_are_for_root_alone(folder: Path):
    assert (folder / "kubeconfig").stat().st_mode & 0o077 == 0
    assert (folder / "keys").stat().st_mode & 0o077 == 0


def test_the_api_server_is_started_first_and_what_asks_it_later():
    first = [part.name for part in parts(Place("one")) if not part.after_api]

    assert first == ["etcd", "containerd", "kube-apiserver"]
