from pathlib import Path

import pytest

from local.cluster import programs
from local.cluster.programs import CORE, ETCD, EXTRAS, KUBERNETES


def test_every_program_is_one_that_its_go_mod_names():
    for group in (*CORE, *EXTRAS):
        named = (group.folder / "go.mod").read_text()
        for package in group.programs.values():
            assert package == "." or package in named, f"{group.name} builds {package}"


def test_every_module_that_comes_from_elsewhere_is_pinned_by_its_digest():
    for group in (*CORE, *EXTRAS):
        needs = "require" in (group.folder / "go.mod").read_text()
        assert (group.folder / "go.sum").exists() == needs, group.name


def test_kubernetes_is_told_its_own_version():
    assert f"-X k8s.io/component-base/version.gitVersion={KUBERNETES.version}" in " ".join(
        KUBERNETES.flags
    )


def test_other_modules_are_built_again_and_kept_apart(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setattr(programs, "SOURCES", tmp_path)
    (tmp_path / "etcd").mkdir()
    (tmp_path / "etcd" / "go.mod").write_text("module a\n")
    (tmp_path / "etcd" / "go.sum").write_text("one\n")
    before = ETCD.key
    (tmp_path / "etcd" / "go.sum").write_text("two\n")

    assert ETCD.key != before


def test_programs_lie_in_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    assert programs.path("kubelet").is_relative_to(tmp_path)
    assert "kubelet" in KUBERNETES.missing()
