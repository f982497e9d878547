"""What a review found, in words."""

from collections.abc import Mapping, Sequence

from training.faces_reviewed import Review, Tally, tally, wilson
from training.review_selection import DISAGREEMENT, RANDOM


def summary(reviews: Sequence[Review], labels: Mapping[str, bool]) -> str:
    """Counts by reason, the noise of all labels, and how well the reviewer agrees with itself."""
    drawn = [review for review in reviews if RANDOM in review.reasons]
    disputed = [review for review in reviews if DISAGREEMENT in review.reasons]
    agreed = [review for review in reviews if DISAGREEMENT not in review.reasons]
    return "\n".join(
        (
            _line("all reviewed", tally(reviews, labels)),
            _line("networks disagree with the label", tally(disputed, labels)),
            _line("networks agree with the label", tally(agreed, labels)),
            _line("random: stands for all labels", tally(drawn, labels)),
            _consistency([review for review in reviews if review.second]),
        )
    )


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
