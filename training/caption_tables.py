"""The tables of the captioner's card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from training.bootstrap_captions import CAPTION_FIGURES
from training.caption_confidence import Confidence
from training.caption_evaluation import Measured
from training.caption_robustness import Condition, Slice, largest_gap
from training.tables import table

if TYPE_CHECKING:  # evaluation needs no Keras
    from training.caption_ablation import Trial
    from training.caption_runtimes import Runtime


def quality(measured: Mapping[str, Measured]) -> str:
    """Every figure with its interval, by split."""
    return table(
        ("split", "photos", *CAPTION_FIGURES, "ms"),
        (
            (
                split,
                str(one.photos),
                *(figure.text() for figure in one.figures.values()),
                f"{one.milliseconds:.0f}",
            )
            for split, one in measured.items()
        ),
    )


def sureness(confidence: Mapping[str, Confidence]) -> str:
    """What sureness tells apart, and whether confidence means what it says."""
    head = ("split", "surer half", "other half", "difference", "close", "ECE", "ECE by chance")
    return table(
        (*head, "Brier skill"),
        (
            (
                split,
                *(figure.text() for figure in (one.surer, one.others, one.gap)),
                f"{one.close:.0%}",
                one.error.text(),
                f"{one.error_by_chance:.3f}",
                one.skill.text(),
            )
            for split, one in confidence.items()
        ),
    )


def variety(measured: Mapping[str, Measured]) -> str:
    """How often sentences recur, and how many words are in use."""
    return table(
        ("split", "different sentences per photo", "different words", "most repeated", "of photos"),
        (
            (
                split,
                f"{one.distinct:.2f}",
                str(one.vocabulary),
                one.most_repeated,
                f"{one.repeated:.1%}",
            )
            for split, one in measured.items()
        ),
    )


def form(measured: Mapping[str, Measured]) -> str:
    """Faults of form, and length."""
    return table(
        ("split", "says words twice", "names a thing twice", "unfinished", "words", "people's"),
        (
            (
                split,
                f"{one.form.repeats:.1%}",
                f"{one.form.twice:.1%}",
                f"{one.form.unfinished:.1%}",
                f"{one.words:.1f}",
                f"{one.people_words:.1f}",
            )
            for split, one in measured.items()
        ),
    )


def trials(found: Sequence[Trial]) -> str:
    """What each choice is worth."""
    return table(
        ("", "BLEU-4", "difference", "CIDEr-D", "difference"),
        (
            (
                one.name,
                f"{one.bleu.value:.3f}",
                one.bleu_change.text() if place else "",
                f"{one.cider.value:.3f}",
                one.cider_change.text() if place else "",
            )
            for place, one in enumerate(found)
        ),
    )


def runtimes(found: Sequence[Runtime]) -> str:
    """The same network under each runtime."""
    return table(
        ("", "BLEU-4", "difference", "CIDEr-D", "difference", "same sentence"),
        (
            (
                one.name,
                f"{one.bleu.value:.4f}",
                one.bleu_change.text(4) if place else "",
                f"{one.cider.value:.4f}",
                one.cider_change.text(4) if place else "",
                f"{one.same:.1%}",
            )
            for place, one in enumerate(found)
        ),
    )


def conditions(found: Sequence[Condition]) -> str:
    """Worse photos."""
    return table(
        ("photos", "CIDEr-D", "difference"),
        (
            (one.name, one.cider.text(), one.change.text() if place else "")
            for place, one in enumerate(found)
        ),
    )


def slices(found: Sequence[Slice]) -> str:
    """Parts of the photos."""
    return table(
        ("by", "part", "photos", "CIDEr-D"),
        ((one.by, one.name, str(one.photos), one.cider.text()) for one in found),
    )


def largest(found: tuple[Slice, ...]) -> str:
    """The largest gap, in words."""
    worst, best = largest_gap(found)
    return (
        f"The largest gap is by what the photo {worst.by}"
        if worst.by == "shows"
        else f"The largest gap is by {worst.by}"
    ) + f": {worst.name} {worst.cider.value:.2f}, {best.name} {best.cider.value:.2f}."
