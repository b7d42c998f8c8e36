"""At which strength a candidate is tried: the one that promises most, at which other code is no
less likely than it may be. Pure but for the measurement that it is given.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

STRENGTHS = (0.25, 0.5, 0.75, 1.0)
"""What an adapter is tried at, on code that the gate never asks."""
BASE_SCALE = 0.0
"""The adapter's strength at which only the base is left."""
CAUTION = 0.75
"""Which part of the gate's limit is used up here: the gate asks other spans of other files, and
what stands at the limit would fail there every second time."""


@dataclass(frozen=True, slots=True)
class ScaleChoice:
    """``losses`` are of newer code, ``rises`` of general code over the base's, by scale: means in
    nats per token; of the scales that were not in question the rise is not known.
    """

    scale: float
    losses: Mapping[float, float]
    rises: Mapping[float, float]


def choose_scale(
    losses: Mapping[float, Sequence[float]],
    general: Callable[[float], float] | None,
    limit: float,
) -> ScaleChoice:
    """The scale that wins most for certain, if general code is no more than ``limit`` nats per
    token less likely there, else the first below it where that holds; the weakest if none does.
    ``losses`` are of the same spans of newer code at every scale, :data:`BASE_SCALE` among them.

    ``general`` measures general code at a scale, in nats per token (None: there is none). That is
    slow, so it is measured at that scale, and below it only for as long as it costs too much: what
    is lost falls with the strength.
    """
    means = {scale: statistics.fmean(each) for scale, each in losses.items()}
    base = losses[BASE_SCALE]
    scales = sorted(scale for scale in losses if scale != BASE_SCALE)
    best = max(scales, key=lambda scale: _certain_gain(base, losses[scale]))
    if general is None:
        return ScaleChoice(best, means, {})
    before, rises = general(BASE_SCALE), {}
    for scale in reversed([it for it in scales if it <= best]):
        rises[scale] = general(scale) - before
        if rises[scale] <= CAUTION * limit:
            break
    return ScaleChoice(min(rises), means, rises)


def _certain_gain(base: Sequence[float], adapted: Sequence[float]) -> float:
    """The mean of the paired differences, less its standard error.

    What an adapter wins falls less than its strength does, and what a span moves by chance falls
    with it: the likeliest strength is not the one that a gate, or a user, can rely on most, and the
    most certain one wins nothing.
    """
    gains = [one - other for one, other in zip(base, adapted, strict=True)]
    error = statistics.stdev(gains) / math.sqrt(len(gains)) if len(gains) > 1 else 0.0
    return statistics.fmean(gains) - error
