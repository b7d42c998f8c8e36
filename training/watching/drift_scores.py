"""Whether the served adapter has become worse than it was at the gate: pure."""

import math
from collections import defaultdict
from statistics import fmean

import msgspec

from lsp_server.store.trainer_state import DriftScores

KEPT, LEAST_FILES = 240, 8
"""Spans that are remembered, the newest; and of how many files they must be to say something."""


def drift_of(scores: DriftScores) -> float | None:
    """By how much the adapter is worse than at the gate, at the least, in nats per token; None if
    too few files tell. Single spans differ by more than any drift, so a mean alone says nothing.

    Spans of one file are not independent: as at the gate, it is whole files that may be chance.
    """
    mean = fmean(nll for _, nll in scores.spans) if scores.spans else 0.0
    off_by: dict[str, float] = defaultdict(float)
    for file, nll in scores.spans:
        off_by[file] += nll - mean
    files = len(off_by)
    if files < LEAST_FILES:
        return None
    squares = sum(it**2 for it in off_by.values()) * files / (files - 1)
    error = math.sqrt(squares) / len(scores.spans)
    return mean - _certainty(files - 1) * error - scores.gate


def _certainty(freedom: int) -> float:
    """Errors below the mean above which the truth lies in 95 of 100 cases: Student's quantile, by
    its expansion around the normal one (0.01 off at most from ``LEAST_FILES`` on).
    """
    return 1.645 + 1.524 / freedom + 1.42 / freedom**2


def together(old: DriftScores | None, new: DriftScores) -> DriftScores:
    """What is known of an adapter, with another look. A file that was asked about again has its new
    scores alone: one that is saved often would else count for many.
    """
    if old is None or (old.adapter, old.gate) != (new.adapter, new.gate):
        return new
    again = {file for file, _ in new.spans}
    kept = [it for it in old.spans if it[0] not in again]
    return msgspec.structs.replace(new, spans=(*kept, *new.spans)[-KEPT:])
