"""How many threads compute: as many as was fastest lately. Pure.

llama.cpp's threads meet some hundred times in a decode, and spin while they wait. On a quiet
machine all cores are fastest; as soon as another program takes one of them, every meeting waits
for that core's turn, and a single thread is several times faster and costs a sixth of the CPU.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

FIRST_TRIAL_SECONDS, LAST_TRIAL_SECONDS = 1.0, 30.0
"""Another number is tried so often; less and less often while it stays slower."""
COSTLY = 20.0
"""So many times as long as a trial took too long, there is none (one may take seconds)."""
_WEIGHT = 0.5
"""Of the newest decode: a machine becomes busy from one moment to the next."""
FEW = 8
"""A decode of at most so many tokens costs little more than one of a single token."""
_ANOTHER = 0.16
"""Of a token's decode, for each further one of a few."""


@dataclass(slots=True)
class _Pace:
    """Of one kind of decode: seconds by the number of threads, and when to try another one."""

    seconds: dict[int, float] = field(default_factory=dict)
    wait: float = FIRST_TRIAL_SECONDS
    trial_at: float = 0.0


class ThreadChoice:
    """Chooses among some numbers of threads, by kinds of decodes: of few tokens and of many."""

    def __init__(self, counts: tuple[int, ...], clock: Callable[[], float]) -> None:
        """``counts``: the first one is the choice as long as nothing else is known."""
        self._counts = counts
        self._clock = clock
        self._paces = {True: _Pace(), False: _Pace()}

    @classmethod
    def up_to(cls, most: int, clock: Callable[[], float]) -> "ThreadChoice":
        """Among ``most`` threads and half of them."""
        return cls((most, most // 2) if most > 1 else (1,), clock)

    def choose(self, tokens: int) -> int:
        """How many threads are to compute so many tokens."""
        pace = self._paces[tokens <= FEW]
        best = self._best(pace)
        if len(self._counts) > 1 and best in pace.seconds and self._clock() >= pace.trial_at:
            others = [count for count in self._counts if count != best]
            tried = min(others, key=lambda count: pace.seconds.get(count, 0.0))
            # A trial of many tokens is dear: one of a few says first whether there is hope.
            few = self._paces[True]
            if tokens <= FEW or self._best(few) == tried or not few.seconds:
                return tried
        return best

    def note(self, count: int, tokens: int, seconds: float) -> None:
        """A decode of so many tokens took so long with so many threads."""
        pace = self._paces[tokens <= FEW]
        size = 1 + _ANOTHER * (tokens - 1) if tokens <= FEW else tokens
        each = seconds / size
        best = self._best(pace)
        is_trial = best in pace.seconds and count != best
        known = each if is_trial else pace.seconds.get(count, each)
        pace.seconds[count] = known + _WEIGHT * (each - known)
        if is_trial:
            is_better = self._best(pace) == count
            pace.wait = FIRST_TRIAL_SECONDS if is_better else min(2 * pace.wait, LAST_TRIAL_SECONDS)
            pace.trial_at = self._clock() + max(
                pace.wait, COSTLY * size * (each - pace.seconds[best])
            )

    def _best(self, pace: _Pace) -> int:
        known = [count for count in self._counts if count in pace.seconds]
        return min(known, key=lambda count: pace.seconds[count]) if known else self._counts[0]
