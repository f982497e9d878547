"""An operator's values with a canary, promoted, and without one."""

import re

from rollout import values
from tests.harness import ROOT

OWN = {
    "models": {"detector": {"version": "1.0.0", "replicas": 3, "package": {"sha256": "old"}}},
    "canary": {"takeFromStable": True},
}
CANARIES = {"detector": "1.1.0"}
DIGEST = {"models": {"detector": {"canary": {"package": {"sha256": "new"}}}}}


def test_a_canary_is_laid_beside_the_model_and_everything_else_is_kept():
    made = values.with_canary(OWN, CANARIES, DIGEST, 25.0, 10.0)

    assert made["models"]["detector"] == {
        "version": "1.0.0",
        "replicas": 3,
        "package": {"sha256": "old"},
        "canary": {"version": "1.1.0", "package": {"sha256": "new"}},
    }
    assert made["canary"] == {"takeFromStable": True, "weight": 25, "shadow": 10}


def test_promotion_makes_all_of_the_canarys_values_the_models_and_keeps_the_canary():
    made = values.promoted(values.with_canary(OWN, CANARIES, DIGEST, 0, 0), CANARIES, 100.0)

    assert made["models"]["detector"] == {
        "version": "1.1.0",
        "replicas": 3,
        "package": {"sha256": "new"},
        "canary": {"version": "1.1.0", "package": {"sha256": "new"}},
    }
    assert made["canary"]["weight"] == 100


def test_a_promoted_model_is_what_its_canary_was_in_the_chart():
    model = {
        "accelerator": {"kind": "mig", "profile": "1g.10gb"},
        "image": {"digest": "old", "registry": "mirror.example"},
        "package": {"source": "image", "image": {"repository": "acme/objects", "digest": "old"}},
    }
    canary = {
        "accelerator": {"kind": "whole"},
        "image": {"tag": "new"},
        "package": {"image": {"tag": "new"}},
    }
    own = {"models": {"detector": {"canary": canary}}}
    given = values.with_canary({"models": {"detector": model}}, CANARIES, own, 0, 0)

    made = values.promoted(given, CANARIES, 100)["models"]["detector"]

    assert made.pop("canary") == {"version": "1.1.0", **canary}
    assert made == {
        "version": "1.1.0",
        "accelerator": {"kind": "whole"},
        "image": {"registry": "mirror.example", "tag": "new"},
        "package": {"source": "image", "image": {"repository": "acme/objects", "tag": "new"}},
    }


def test_blocks_that_the_chart_replaces_as_a_whole_are_replaced_so_on_promotion():
    chart = (ROOT / "helm" / "trilens" / "templates" / "_merged.tpl").read_text("utf-8")
    (whole,) = re.findall(r"\$whole := list (.*) \}\}", chart)
    models = {name: {"of": "stable"} for name in re.findall(r'"(\w+)"', whole)}
    canary = {name: {"the": "canary's"} for name in models}
    own = {"models": {"detector": {"canary": canary, **models}}}

    made = values.promoted(own, CANARIES, 100)["models"]["detector"]

    assert {name: made[name] for name in models} == canary
    assert set(values._WHOLE) == set(models)


def test_in_the_end_no_word_of_the_canary_is_left():
    promoted = values.promoted(values.with_canary(OWN, CANARIES, DIGEST, 0, 0), CANARIES, 100)

    made = values.plain(promoted, CANARIES)

    assert made["models"]["detector"] == {
        "version": "1.1.0",
        "replicas": 3,
        "package": {"sha256": "new"},
    }
    assert made["canary"] == {"takeFromStable": True, "weight": 0, "shadow": 0}


def test_a_model_of_which_only_the_chart_knows_gets_its_own_block():
    made = values.with_canary({}, {"captioner": "2.0.0"}, {}, 0, 0)

    assert made["models"] == {"captioner": {"canary": {"version": "2.0.0"}}}


def test_the_values_that_were_given_are_never_changed():
    before = repr(OWN)

    values.promoted(values.with_canary(OWN, CANARIES, DIGEST, 5, 0), CANARIES, 100)

    assert repr(OWN) == before
