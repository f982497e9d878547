"""What every card says in the same words."""

from services.manifest import Manifest
from tests.fakes import manifest_fields
from training.bootstrap import Estimate
from training.card_parts import cost, limits, metric, plot, thresholds

REACHED = {"precision": 0.9123, "precision_low": 0.85, "recall": 0.5, "count": 80}
FITTED = {
    "policy": {
        "name": "precision-90",
        "target_precision": 0.9,
        "target_absent": 0.95,
        "dataset": "photos",
        "split": "val",
        "count": 1234,
    },
    "labels": {
        "dog": {"present": 0.62, "absent": 0.1, "when_present": REACHED},
        "*": {"present": None, "absent": 0.0},
    },
}


def manifest(**changes):
    return Manifest.model_validate(manifest_fields(changes.pop("task", "detection"), **changes))


def test_thresholds_are_told_with_their_policy_and_what_they_reached():
    told = thresholds(
        manifest(
            threshold_sets={"precision-90-v1": FITTED}, default_threshold_set="precision-90-v1"
        )
    )

    assert told.startswith("`precision-90-v1`: for each label the lowest score from which 0.9")
    assert "0.95 of `absent`" in told
    assert "photos (val), 1,234 examples" in told
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in told.splitlines()[-2:]]
    assert rows[0] == ["dog", "0.62", "0.912", "0.850", "0.500", "0.1", "", ""]
    assert rows[1] == ["all others", "never", "", "", "", "0", "", ""]


def test_thresholds_made_by_hand_and_none_at_all_are_told_as_such():
    assert thresholds(manifest()).startswith("`default-v1`, made by hand:")
    assert thresholds(manifest(task="caption")) == "It has no thresholds."


def test_a_figure_goes_to_the_manifest_with_its_interval():
    figure = metric("AP50", Estimate(0.56789, 0.5, 0.6), "photos", "test", 90)

    assert manifest(metrics=[figure]).metrics[0].value == 0.5679


def test_limits_plots_and_cost_are_told():
    assert limits(manifest(limits=["Small things.", "Night."])) == "- Small things.\n- Night."
    assert plot("reliability", "Said and true") == "![Said and true](card/reliability.svg)"
    assert cost(120) == ("2.0 CPU hours; at 15 W for a busy core (assumed, not measured) 0.03 kWh")
