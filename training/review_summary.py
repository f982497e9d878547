"""What a review found, in words."""

from collections.abc import Mapping, Sequence

from training.faces_reviewed import Review, Tally, tally, wilson
from training.review_selection import DISAGREEMENT, RANDOM


def summary(reviews: Sequence[Review], labels: Mapping[str, bool]) -> str:
    """Counts by reason, the noise of all labels, and how well the reviewer agrees with itself."""
    parts = {
        "all reviewed": reviews,
        "networks disagree with the label": [r for r in reviews if DISAGREEMENT in r.reasons],
        "networks agree with the label": [r for r in reviews if DISAGREEMENT not in r.reasons],
        "random: stands for all labels": [r for r in reviews if RANDOM in r.reasons],
    }
    lines = [_line(what, tally(part, labels)) for what, part in parts.items() if part]
    twice = [review for review in reviews if review.second]
    return "\n".join((*lines, _consistency(twice)) if twice else lines)


def _line(what: str, counted: Tally) -> str:
    low, high = counted.interval
    return (
        f"{what}: {counted.faces} faces, {counted.agreed} agreed, {counted.to_neutral} corrected "
        f"to neutral, {counted.to_smiling} to smiling, {counted.unclear} unclear; wrong "
        f"{counted.wrong:.1%} [{low:.1%}, {high:.1%}] of those that can be told"
    )


def _consistency(twice: Sequence[Review]) -> str:
    same = sum(review.first == review.second for review in twice)
    low, high = wilson(same, len(twice))
    return f"looked at twice: {len(twice)}, {same} judged the same ({low:.1%} to {high:.1%})"
