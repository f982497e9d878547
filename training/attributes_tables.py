"""The tables of the attributes card."""

from collections.abc import Iterable, Mapping, Sequence

from training.attributes_measure import Measured
from training.faces_calibration import Moved, Told
from training.faces_ceiling import Ceiling
from training.faces_measure import EndToEnd
from training.faces_robustness import Condition, Slice, largest_gap
from training.faces_scores import Quality
from training.tables import table


def crop_rows(measured: Measured) -> str:
    """Quality by split and label, with intervals."""
    return table(
        (
            *("split", "label", "faces", "positive", "accuracy", "AUC", "AP"),
            *("recall at precision 0.9", "ECE", "by chance", "Brier skill"),
        ),
        (
            (
                split,
                label,
                str(q.count),
                str(q.scored.positives),
                q.accuracy.text(),
                q.auc.text(),
                q.average_precision.text(),
                q.recall_at_precision.text(2),
                q.calibration_error.text(),
                f"{q.error_by_chance:.3f}",
                q.brier_skill.text(2),
            )
            for split, by_label in measured.crops.items()
            for label, q in (*by_label.items(), ("smiling, as labelled", measured.labelled[split]))
        ),
    )


def review_text(measured: Measured) -> str:
    """What was found when labels of smiling were looked at again."""
    lines = []
    for split, found in measured.reviews.items():
        told = found.faces - found.unclear
        both = measured.ceilings[split]
        lines.append(
            f"Of {split}'s faces {found.faces} were looked at: {found.to_neutral} labelled as "
            f"smiling do not, {found.to_smiling} labelled otherwise do, {found.unclear} cannot be "
            f"told. So whoever saw every smile rightly would reach an accuracy of "
            f"{1 - found.wrong:.3f} by the labels as they came (of the {told} that can be told) "
            f"and an AUC of {found.auc:.3f} (of all, the untold in the middle)." + _both(both)
        )
    return "\n".join(lines)


def _both(ceiling: Ceiling | None) -> str:
    if ceiling is None:
        return ""
    return (
        " What was seen and the network's score together, fitted to those labels and told of "
        f"other faces (cross-validated), reach an accuracy of {ceiling.accuracy:.3f} and an AUC of "
        f"{ceiling.auc:.3f}."
    )


def decision_rows(by_label: Mapping[str, Quality]) -> str:
    """What the default thresholds decide on test."""
    return table(
        ("label", "present: precision", "recall", "absent: precision", "recall", "uncertain"),
        (
            (label, *(f"{value:.3f}" for value in (*q.present, *q.absent, q.uncertain)))
            for label, q in by_label.items()
        ),
    )


def mirrored_rows(measured: Measured) -> str:
    """What scoring each face and its mirror would gain, at twice the network's time."""

    def row(split: str, kind: str, found: Mapping[str, Quality]) -> Sequence[str]:
        smiling = found["smiling"]
        return (
            split,
            kind,
            f"{smiling.accuracy.value:.3f}",
            f"{smiling.auc.value:.4f}",
            f"{found['sunglasses'].average_precision.value:.3f}",
            f"{found['eyeglasses'].auc.value:.4f}",
        )

    rows = []
    for split in measured.crops:
        rows.append(row(split, "the face, as served", measured.crops[split]))
        rows.append(row(split, "the face and its mirror", measured.mirrored[split]))
    return table(
        ("split", "scored", "smiling accuracy", "AUC", "sunglasses AP", "eyeglasses AUC"), rows
    )


def source_rows(by_source: Mapping[str, Mapping[str, Quality]]) -> str:
    """Quality on test by source; a label is left out where a source has only one kind."""
    return table(
        ("source", "label", "faces", "positive", "accuracy", "AUC", "AP"),
        (
            (
                source,
                label,
                str(q.count),
                str(q.scored.positives),
                q.accuracy.text(),
                q.auc.text(),
                q.average_precision.text(),
            )
            for source, by_label in by_source.items()
            for label, q in by_label.items()
        ),
    )


def way_rows(ways: Sequence[Told]) -> str:
    """Ways to calibrate, by how well they tell what they were not fitted to."""
    labels = tuple(ways[0].losses)
    return table(
        (
            "val, cross-validated",
            *(f"{one}: log loss" for one in labels),
            *map("{}: ECE".format, labels),
        ),
        (
            (
                one.way,
                *(f"{one.losses[label]:.4f}" for label in labels),
                *(f"{one.errors[label]:.3f}" for label in labels),
            )
            for one in ways
        ),
    )


def moved_rows(found: Iterable[Moved]) -> str:
    """Calibration errors on test, by the faces that the calibration was fitted to."""
    return table(
        ("label", "ECE on test, fitted to val", "to the other half of test", "by chance"),
        ((o.label, f"{o.val:.3f}", f"{o.test:.3f}", f"{o.by_chance:.3f}") for o in found),
    )


def condition_rows(conditions: Iterable[Condition]) -> str:
    """Figures on test, the pictures changed."""
    return table(
        ("pictures", "smiling accuracy", "smiling AUC", "sunglasses AP", "eyeglasses AUC"),
        (
            (
                one.name,
                f"{one.accuracy:.3f}",
                f"{one.auc['smiling']:.3f}",
                f"{one.average_precision:.3f}",
                f"{one.auc['eyeglasses']:.3f}",
            )
            for one in conditions
        ),
    )


def slice_rows(slices: Iterable[Slice]) -> str:
    """Smiling on parts of test."""
    return table(
        ("by", "faces that are", "faces", "smiling accuracy", "smiling AUC"),
        (
            (one.by, one.name, str(one.faces), one.accuracy.text(), f"{one.auc:.3f}")
            for one in slices
        ),
    )


def gap_text(slices: tuple[Slice, ...]) -> str:
    """Where the parts differ most."""
    worst, best = largest_gap(slices)
    return (
        f"Largest gap: by {worst.by}, smiling accuracy {worst.accuracy.value:.3f} "
        f"({worst.name}) against {best.accuracy.value:.3f} ({best.name})."
    )


def end_rows(found: Iterable[EndToEnd]) -> str:
    """Whole photos, the face finder in front."""
    return table(
        (
            "face, px",
            "faces",
            "found",
            "smiling accuracy",
            "smiling AUC",
            "sunglasses AP",
            "eyeglasses AUC",
        ),
        (
            (
                str(one.face),
                str(one.faces),
                f"{one.found:.3f}",
                _text(one.labels.get("smiling"), "accuracy"),
                _text(one.labels.get("smiling"), "auc"),
                _text(one.labels.get("sunglasses"), "average_precision"),
                _text(one.labels.get("eyeglasses"), "auc"),
            )
            for one in found
        ),
    )


def _text(found: Quality | None, figure: str) -> str:
    return "" if found is None else getattr(found, figure).text()


def runtime_rows(before: Mapping[str, Quality], served: Mapping[str, Quality]) -> str:
    """The trained network in Keras and the package as served, on the same faces."""

    def row(kind: str, found: Mapping[str, Quality]) -> Sequence[str]:
        figures = (
            found["smiling"].accuracy,
            found["smiling"].auc,
            found["sunglasses"].average_precision,
            found["eyeglasses"].auc,
        )
        return (kind, *(f"{one.value:.4f}" for one in figures))

    return table(
        ("test, through", "smiling accuracy", "smiling AUC", "sunglasses AP", "eyeglasses AUC"),
        (
            row("Keras, 32 bits, as trained", before),
            row("the package as served (onnxruntime, weights stored in 16 bits)", served),
        ),
    )
