"""How sure an adapter must be of an answer for it to be shown. Pure."""

import math
from collections.abc import Iterable

KEPT = 0.97
"""The share of right answers that is still shown."""
LEAST_RIGHT = 20
"""With fewer right answers, the bound would be an accident of one of them."""


def least_confidence(judged: Iterable[tuple[float | None, bool]]) -> float | None:
    """The highest natural-log probability that leaves ``KEPT`` of the right answers.

    ``judged`` are answers: how sure the model was of each (None: not told), and whether it was
    right. None where too few were right to say. How many wrong ones are left out does not matter:
    a bound that is chosen by them would be the higher, the worse the adapter is.
    """
    right = sorted(found for found, is_right in judged if is_right and found is not None)
    if len(right) < LEAST_RIGHT:
        return None
    return math.floor(100 * right[int((1 - KEPT) * len(right))]) / 100
