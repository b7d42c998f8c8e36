"""What the feedback file adds up to: acceptance and latency by day, adapter and base."""

import math
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path
from statistics import quantiles

from .feedback import SCHEMA

READ_SECONDS = 2.0
Z_95 = 1.959964
"""Standard deviations on either side that hold 95 % of a normal distribution."""
BASE = ""
"""In the place of an adapter's id: the base answered alone."""

_ROWS = """
SELECT date(s.time, 'unixepoch', 'localtime') AS day, s.adapter, s.latency_ms, s.characters,
    s.answered_by,
    MAX(e.kind = 'shown'), MAX(e.kind = 'accepted'), MAX(e.kind = 'partlyAccepted'),
    MAX(e.kind = 'dismissed'),
    TOTAL(CASE e.kind WHEN 'partlyAccepted' THEN e.characters END)
FROM suggestions s LEFT JOIN events e ON e.suggestion = s.id
WHERE ?1 = '' OR s.repository = ?1
GROUP BY s.id ORDER BY s.time
"""


@dataclass(slots=True)
class Tally:
    """Counts of suggestions; rates are of those that are known to have been shown.

    An editor without our extension tells only of whole acceptances: ``shown`` then stays behind
    ``accepted``, and no rate is made up. ``latencies`` (ms) are of answers that an engine gave;
    an answer out of the cache takes no time worth a figure.
    """

    offered: int = 0
    shown: int = 0
    accepted: int = 0
    accepted_shown: int = 0
    partly: int = 0
    dismissed: int = 0
    characters: int = 0
    latencies: list[float] = field(default_factory=list)

    @property
    def acceptance(self) -> float | None:
        """The share of what was shown that was taken whole; None if nothing is known."""
        return self.accepted_shown / self.shown if self.shown else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's 95 % confidence interval of :attr:`acceptance`."""
        return wilson(self.accepted_shown, self.shown) if self.shown else None

    def include(self, other: "Tally") -> None:
        """Count what ``other`` counted, too."""
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def latency(self, percent: int) -> float | None:
        """A percentile (1 to 99) in milliseconds; None without any answer of an engine."""
        if not self.latencies:
            return None
        if len(self.latencies) == 1:
            return self.latencies[0]
        return quantiles(self.latencies, n=100, method="inclusive")[percent - 1]


_COUNTS = tuple(entry.name for entry in fields(Tally))


@dataclass(frozen=True, slots=True)
class Feedback:
    """Everything by (day, adapter); an adapter's id is :data:`BASE` where the base answered."""

    days: dict[tuple[date, str], Tally]

    def by_day(self) -> dict[date, Tally]:
        """All adapters and the base together, oldest day first."""
        merged: defaultdict[date, Tally] = defaultdict(Tally)
        for (day, _), tally in self.days.items():
            merged[day].include(tally)
        return dict(sorted(merged.items()))

    def by_adapter(self) -> dict[str, Tally]:
        """All days together, oldest adapter first; the base before them."""
        merged: defaultdict[str, Tally] = defaultdict(Tally)
        for (_, adapter), tally in self.days.items():
            merged[adapter].include(tally)
        return dict(sorted(merged.items()))

    def total(self) -> Tally:
        """Everything together."""
        total = Tally()
        for tally in self.days.values():
            total.include(tally)
        return total


def read_feedback(path: Path, repository: str = "") -> Feedback:
    """What is kept of one repository (the name of its folder in the store), or of all.

    Empty where there is no file, or it is damaged, of another schema, or locked.
    """
    days: defaultdict[tuple[date, str], Tally] = defaultdict(Tally)
    for day, adapter, latency, length, answered_by, *seen in _rows(path, repository):
        shown, accepted, partly, dismissed, characters = (int(value or 0) for value in seen)
        tally = days[date.fromisoformat(day), adapter or BASE]
        tally.offered += 1
        tally.shown += shown
        tally.accepted += accepted
        tally.accepted_shown += shown and accepted
        tally.partly += partly
        tally.dismissed += dismissed
        tally.characters += length if accepted else characters
        if answered_by == "engine":
            tally.latencies.append(latency)
    return Feedback(dict(days))


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % confidence interval of a share (Wilson 1927), which holds for few trials too."""
    share, z2 = successes / trials, Z_95**2
    centre = share + z2 / (2 * trials)
    half = Z_95 * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    scale = 1 + z2 / trials
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def _rows(path: Path, repository: str) -> Iterator[tuple[str, str | None, float, int, str, float]]:
    if not path.is_file():
        return
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, timeout=READ_SECONDS, uri=True)) as connection:
            if connection.execute("PRAGMA user_version").fetchone()[0] == SCHEMA:
                yield from connection.execute(_ROWS, (repository,))
    except sqlite3.Error:
        return
