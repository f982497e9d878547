"""The judge: from what was counted on two tracks to pass, fail or hold; pure."""

from rollout.judge.observation import Count, Observation, Pairs, Times, Tracks
from rollout.judge.plan import Plan
from rollout.judge.record import Record, gather
from rollout.judge.verdict import Outcome, Signal, Verdict, judge

__all__ = [
    "Count",
    "Observation",
    "Outcome",
    "Pairs",
    "Plan",
    "Record",
    "Signal",
    "Times",
    "Tracks",
    "Verdict",
    "gather",
    "judge",
]
