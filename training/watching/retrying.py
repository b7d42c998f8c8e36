"""What follows from how a run ended: pure, by the exit status that :mod:`training.run` gives it."""

from dataclasses import dataclass
from typing import Any, Literal

from lsp_server.trainer_messages import NOT_NOW, NOT_PROMOTED, Verdict

from ..signals import ENDING

_CANCELLED = frozenset(
    sign * number + base for number in ENDING for sign, base in ((1, 128), (-1, 0))
)
BACKOFF = (60.0, 300.0, 1800.0)
"""Seconds before a run that failed is taken up again, the first, the second and the third time;
after that only when something changes."""
REFUSED_SECONDS = 60.0
"""Before it is asked again, if another run or too little memory stood in the way."""

How = Literal["finished", "cancelled", "refused", "failed"]


def how_it_ended(status: int) -> How:
    """By a process's exit status; a signal's number is negative."""
    if status in {0, NOT_PROMOTED}:
        return "finished"
    if status in _CANCELLED:
        return "cancelled"
    return "refused" if status == NOT_NOW else "failed"


@dataclass(slots=True)
class Retry:
    """When a run may be tried again, and why it waits; ``until`` is a monotonic clock's seconds,
    None for as long as nothing changes.
    """

    reason: str = ""
    until: float | None = 0.0
    failures: int = 0

    def failed(self, reason: str, now: float) -> None:
        """It crashed, or said that it cannot be done."""
        wait = BACKOFF[self.failures] if self.failures < len(BACKOFF) else None
        self.failures += 1
        self.reason, self.until = reason, None if wait is None else now + wait

    def refused(self, reason: str, now: float, seconds: float = REFUSED_SECONDS) -> None:
        """Something stood in the way that goes by."""
        self.reason, self.until = reason, now + seconds

    def changed(self) -> None:
        """What could not be done may be possible now."""
        if self.until is None:
            self.forget()

    def forget(self) -> None:
        """Nothing is known to stand in the way."""
        self.reason, self.until, self.failures = "", 0.0, 0

    def waits(self, now: float) -> bool:
        """Whether it is too early; where it is not, the reason is forgotten."""
        return self.until is None or now < self.until


def verdict_of(outcome: dict[str, Any], finished: float) -> Verdict:
    """What a run's outcome says, at ``finished`` seconds since the epoch."""
    lower = outcome.get("lower")
    return Verdict(
        adapter=str(outcome.get("adapter", "")),
        promoted=bool(outcome.get("promoted")),
        gain=float(outcome.get("gain") or 0.0),
        lower=None if lower is None else float(lower),
        spans=int(outcome.get("spans") or 0),
        reason=str(outcome.get("reason", "")),
        finished=finished,
    )
