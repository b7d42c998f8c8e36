"""At which strength a candidate is tried: where newer code is likeliest, as far as other code can
bear it. Pure but for the two measurements that it is given.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

STRENGTHS = (0.5, 0.75, 1.0)
"""What an adapter is tried at, on code that the gate never asks."""
WEAKEST = 0.25
"""What is left to try where general code bears none of these."""
BASE_SCALE = 0.0
"""The adapter's strength at which only the base is left."""
CAUTION = 0.75
"""Which part of the gate's limit is used up here: the gate asks other spans of other files, and
what stands at the limit would fail there every second time."""


@dataclass(frozen=True, slots=True)
class ScaleChoice:
    """``losses`` are of newer code, ``rises`` of general code over the base's, by scale, in nats
    per token; of the scales that were not in question the rise is not known.
    """

    scale: float
    losses: Mapping[float, float]
    rises: Mapping[float, float]


def choose_scale(
    losses: Mapping[float, float], general: Callable[[float], float] | None, limit: float
) -> ScaleChoice:
    """The likeliest scale at which general code is no more than ``limit`` nats per token less
    likely; the weakest if none is.

    ``general`` measures general code at a scale, in nats per token (None: there is none). That is
    slow, so it is measured at the likeliest scale, and below that one only for as long as it costs
    too much: what is lost falls with the strength.
    """
    best = min(losses, key=losses.__getitem__)
    if general is None or len(losses) < 2:
        return ScaleChoice(best, losses, {})
    base, rises = general(BASE_SCALE), {}
    for scale in sorted({WEAKEST, *(it for it in losses if it <= best)}, reverse=True):
        rises[scale] = general(scale) - base
        if rises[scale] <= CAUTION * limit:
            break
    return ScaleChoice(min(rises), losses, rises)
