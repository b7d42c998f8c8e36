"""How long to wait for another key before the engine is asked. Pure: whoever asks tells the time.

An answer takes a while, and until the next key comes it is of no use after that key. So there is
time to see whether a key comes: as much as lies between two keys, less what an answer takes.
"""

from collections import deque
from statistics import median

PAUSE_SECONDS = 1.0
"""Longer gaps between two keys are pauses, and no part of a rhythm."""
KEYS, ANSWERS = 24, 8
FEWEST = 4


class Rhythm:
    """The user's keys and the engine's answers, the last ones; times in seconds of any clock."""

    def __init__(self) -> None:
        self._gaps: deque[float] = deque(maxlen=KEYS)
        self._answers: deque[float] = deque(maxlen=ANSWERS)
        self.last = float("-inf")
        """When the last key was pressed."""

    def key(self, now: float) -> None:
        """A key was pressed."""
        if now - self.last < PAUSE_SECONDS:
            self._gaps.append(now - self.last)
        self.last = now

    def answered(self, seconds: float) -> None:
        """The engine has answered, so long after it was asked."""
        self._answers.append(seconds)

    def wait(self, now: float, most: float) -> float:
        """Seconds to wait now, ``most`` of them at most; ``most`` while too little is known."""
        if len(self._gaps) < FEWEST or not self._answers:
            return most
        spare = median(self._gaps) - median(self._answers) - (now - self.last)
        return min(max(spare, 0.0), most)
