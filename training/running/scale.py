"""At which strength a candidate is tried: the least at which newer code is as likely as at any, for
all that can be told, and that other code can bear. Pure but for the measurement that it is given.
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
    """The least scale that is as good as the likeliest, if general code is no more than ``limit``
    nats per token less likely there, else the first below it where that holds; the weakest if none
    does. ``losses`` are of the same spans of newer code at every scale.

    ``general`` measures general code at a scale, in nats per token (None: there is none). That is
    slow, so it is measured at that scale, and below it only for as long as it costs too much: what
    is lost falls with the strength.
    """
    means = {scale: statistics.fmean(each) for scale, each in losses.items()}
    least = _least_as_good(losses, min(means, key=means.__getitem__))
    if general is None:
        return ScaleChoice(least, means, {})
    base, rises = general(BASE_SCALE), {}
    for scale in sorted((it for it in losses if it <= least), reverse=True):
        rises[scale] = general(scale) - base
        if rises[scale] <= CAUTION * limit:
            break
    return ScaleChoice(min(rises), means, rises)


def _least_as_good(losses: Mapping[float, Sequence[float]], best: float) -> float:
    """The one-standard-error rule (Breiman et al. 1984, 3.4.3) over paired differences.

    A stronger adapter moves every span more, for better and for worse: at equal means the weaker
    one is the safer promise, and the whole lines that come out right are more
    (docs/benchmarks.md).
    """
    for scale in sorted(it for it in losses if it < best):
        pairs = zip(losses[scale], losses[best], strict=True)
        if _within_one_error([one - other for one, other in pairs]):
            return scale
    return best


def _within_one_error(differences: Sequence[float]) -> bool:
    if len(differences) < 2:
        return False
    error = statistics.stdev(differences) / math.sqrt(len(differences))
    return statistics.fmean(differences) <= error
