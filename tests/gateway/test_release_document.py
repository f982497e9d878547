"""The release document and its overlay: what counts as well-formed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.release_document import MalformedDocument, Overlay, read_overlay, read_release

RELEASE: dict[str, Any] = {
    "schema": 1,
    "revision": 3,
    "weight": 10,
    "shadow": 0.5,
    "stable": {"objects": {"version": "1.0.0"}, "captions": {"version": "1.1.0"}},
    "canary": {"objects": {"version": "1.1.0", "target": "dns:///trilens-detector-canary:50051"}},
}
OVERLAY: dict[str, Any] = {
    "schema": 1,
    "rollout": "7f3c",
    "uid": "0b0c1a4e-9a6e-4a53-8a10-5b0cf8f0f6d1",
    "resource_version": "1234",
    "weight": 25,
    "shadow": 5,
}


def test_a_release_says_versions_targets_and_weights() -> None:
    release = read_release(json.dumps(RELEASE))

    assert (release.revision, release.weight, release.shadow) == (3, 10, 0.5)
    assert {name: one.version for name, one in release.stable.items()} == {
        "objects": "1.0.0",
        "captions": "1.1.0",
    }
    assert release.canary["objects"].version == "1.1.0"
    assert release.canary["objects"].target == "dns:///trilens-detector-canary:50051"


def test_a_release_without_a_canary_is_well_formed() -> None:
    assert not read_release(json.dumps(RELEASE | {"weight": 0, "canary": {}})).canary


def test_fields_that_a_newer_chart_adds_are_left_alone() -> None:
    assert read_release(json.dumps(RELEASE | {"newer": {"a": 1}})).weight == 10


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"schema": 2}, "schema"),
        ({"weight": 101}, "weight"),
        ({"weight": -1}, "weight"),
        ({"weight": "10"}, "weight"),
        ({"weight": True}, "weight"),
        ({"weight": float("nan")}, "weight"),
        ({"shadow": None}, "shadow"),
        ({"revision": 1.5}, "revision"),
        ({"stable": []}, "stable"),
        ({"canary": {"objects": {"version": "1.1.0"}}}, "canary.objects.target"),
        ({"canary": {"objects": {"version": "", "target": "t"}}}, "canary.objects.version"),
        ({"canary": {"objects": {"version": "1=2", "target": "t"}}}, "canary.objects.version"),
        ({"canary": {"objects": {"version": "1.1.0", "target": "a b"}}}, "canary.objects.target"),
        ({"canary": {"objects": {"version": "v" * 129, "target": "t"}}}, "canary.objects.version"),
    ],
)
def test_a_malformed_release_is_refused_by_the_name_of_its_field(
    changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(MalformedDocument, match=named):
        read_release(json.dumps(RELEASE | changes))


@pytest.mark.parametrize("field", list(RELEASE))
def test_a_release_that_lacks_a_field_is_refused_by_its_name(field: str) -> None:
    with pytest.raises(MalformedDocument, match=field):
        read_release(json.dumps({k: v for k, v in RELEASE.items() if k != field}))


@pytest.mark.parametrize("field", list(OVERLAY))
def test_an_overlay_that_lacks_a_field_is_refused_by_its_name(field: str) -> None:
    with pytest.raises(MalformedDocument, match=field):
        read_overlay(json.dumps({k: v for k, v in OVERLAY.items() if k != field}))


def test_an_overlay_is_written_as_it_is_read() -> None:
    overlay = read_overlay(json.dumps(OVERLAY))

    assert json.loads(overlay.json_text()) == OVERLAY
    assert overlay == Overlay(**OVERLAY)


def test_a_document_that_is_too_long_is_not_even_parsed() -> None:
    with pytest.raises(MalformedDocument, match="longer"):
        read_release(json.dumps(RELEASE) + " " * (128 << 10))


@given(st.one_of(st.text(), st.from_regex(r"[\[{\"\d].{0,40}")))
def test_garbage_is_malformed_and_nothing_worse(text: str) -> None:
    for read in (read_release, read_overlay):
        with pytest.raises(MalformedDocument):
            read(text)
