"""Whether the served adapter has become worse than it was at the gate: pure."""

import math
import statistics

import msgspec

from lsp_server.store.trainer_state import DriftScores

KEPT, LEAST = 60, 24
"""Spans that are remembered, the newest; and how many of them say something."""
CERTAINTY = 1.645
"""Standard errors below the mean: in 95 of 100 cases the truth lies above."""


def drift_of(scores: DriftScores) -> float | None:
    """By how much the adapter is worse than at the gate, at the least, in nats per token; None if
    too few spans tell. Single spans differ by more than any drift, so a mean alone says nothing.
    """
    if len(scores.nll) < LEAST:
        return None
    error = statistics.stdev(scores.nll) / math.sqrt(len(scores.nll))
    return statistics.fmean(scores.nll) - CERTAINTY * error - scores.gate


def together(old: DriftScores | None, new: DriftScores) -> DriftScores:
    """What is known of an adapter, with another look."""
    if old is None or (old.adapter, old.gate) != (new.adapter, new.gate):
        return new
    return msgspec.structs.replace(new, nll=(*old.nll, *new.nll)[-KEPT:])
