"""What follows from a score, at the edges and everywhere between them."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.decisions import LIKELIHOODS, Edges, likelihood, published
from services.thresholds import Band
from tests.harness import ROOT
from trilens.v1 import decision_pb2 as pb

CAREFUL = Edges.of(Band(present=0.7, absent=0.3))
RISING = (pb.DECISION_ABSENT, pb.DECISION_UNCERTAIN, pb.DECISION_PRESENT)
PROBABILITIES = st.floats(0, 1)


@st.composite
def bands(draw: st.DrawFn) -> Band:
    """Any band that there may be."""
    lower, upper = sorted((draw(PROBABILITIES), draw(PROBABILITIES)))
    return Band(present=draw(st.sampled_from((upper, None))), absent=lower)


@pytest.mark.parametrize(
    ("score", "decision"),
    [
        (0, pb.DECISION_ABSENT),
        (np.nextafter(np.float32(0.3), np.float32(0)), pb.DECISION_ABSENT),
        (0.3, pb.DECISION_UNCERTAIN),
        (np.nextafter(np.float32(0.7), np.float32(0)), pb.DECISION_UNCERTAIN),
        (0.7, pb.DECISION_PRESENT),
        (1, pb.DECISION_PRESENT),
    ],
)
def test_a_score_on_an_edge_belongs_to_what_lies_above(score: float, decision: pb.Decision) -> None:
    assert CAREFUL.decide(score) == decision


@pytest.mark.parametrize("score", [0.3, 0.7, 0.99, 1])
def test_without_an_upper_edge_no_score_is_enough(score: float) -> None:
    assert Edges.of(Band(present=None, absent=0.3)).decide(score) == pb.DECISION_UNCERTAIN
    assert Edges.of(Band(present=None, absent=0.3)).decide(0.29) == pb.DECISION_ABSENT


@given(PROBABILITIES, PROBABILITIES)
def test_a_callers_own_threshold_leaves_nothing_uncertain(own: float, score: float) -> None:
    present = published(score) >= published(own)

    assert Edges.at(own).decide(score) == (pb.DECISION_PRESENT if present else pb.DECISION_ABSENT)


@given(bands(), st.tuples(PROBABILITIES, PROBABILITIES))
def test_a_higher_score_never_makes_a_label_less_present(
    band: Band, scores: tuple[float, float]
) -> None:
    lower, higher = (RISING.index(Edges.of(band).decide(score)) for score in sorted(scores))

    assert lower <= higher


@given(bands(), PROBABILITIES)
def test_whoever_reads_an_answer_comes_to_the_same_decision(band: Band, score: float) -> None:
    told = pb.LabelBand(present_from=band.present, absent_below=band.absent)
    sent = pb.DecisionQuality(precision=score).precision  # any field of 32 bits

    if told.HasField("present_from") and sent >= told.present_from:
        expected = pb.DECISION_PRESENT
    else:
        expected = pb.DECISION_ABSENT if sent < told.absent_below else pb.DECISION_UNCERTAIN

    assert Edges.of(band).decide(score) == expected


def test_likelihoods_begin_where_the_contract_says() -> None:
    contract = (ROOT / "protos" / "trilens" / "v1" / "decision.proto").read_text()
    stated = re.findall(r"Score in \[([\d.]+), ([\d.]+)[)\]]\.\n  LIKELIHOOD_(\w+)", contract)

    assert len(stated) == len(LIKELIHOODS) + 1
    for lowest, next_one, name in stated:
        value = pb.Likelihood.Value(f"LIKELIHOOD_{name}")
        assert likelihood(float(lowest)) == value
        assert likelihood(np.nextafter(np.float32(next_one), np.float32(0))) == value
    assert likelihood(1.0) == pb.LIKELIHOOD_VERY_LIKELY
