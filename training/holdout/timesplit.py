"""Finds the commit since which the wanted amount of code is new; builds no sets."""

import math
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace

from .added import AddedLines, Lines
from .history import Commit

NEAR_ENOUGH = 1.05
"""How much more than the least amount may be new before a newer commit is looked for."""
FARTHEST = 2.0
"""A commit since which less than half of the wanted amount is new is no split."""
_STRIDE = 4.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many lines of code should be new; ``most`` is never below ``least``. Where files are
    chosen, in how many ``files`` at least.
    """

    least: float
    most: float
    files: int = 0

    @property
    def middle(self) -> "Wanted":
        """For a choice of files: lines that stand in others as well will not count."""
        return replace(self, least=(self.least + self.most) / 2)

    def distance(self, lines: int) -> float:
        """The factor by which an amount is off: 1 within the limits."""
        if lines <= 0:
            return math.inf
        return max(self.least / lines, lines / self.most, 1.0)


@dataclass(frozen=True, slots=True)
class Split:
    """A commit and the lines of the working tree that are new since, with their number."""

    commit: Commit
    new: Mapping[str, tuple[Lines, ...]]
    lines: int


def find_split(added: AddedLines, wanted: Wanted, max_commits: int) -> Split | None:
    """The newest commit since which at least ``wanted.least`` lines are new, or the one before it
    if its amount is nearer; None if the history is too short for either.

    What the log says was added guides the walk; it is no more than an estimate, for it counts moved
    and rewritten lines each time, so every step is checked. Raises ``GitError``.
    """
    commits = added.history.commits({file.path for file in added.files}, max_commits)
    with closing(commits):
        search = _Search(added, commits)
        enough = _walk(search, wanted)
    if enough is None:
        oldest = search.at(len(search.commits) - 1)
        return oldest if wanted.distance(oldest.lines) <= FARTHEST else None
    above = search.at(enough)
    off = wanted.distance(above.lines)
    if enough > 0 and off > 1.0 and wanted.distance(search.at(enough - 1).lines) < off:
        return search.at(enough - 1)
    return above


@dataclass
class _Search:
    """What was looked at so far; ``estimates`` are of lines new since each of ``commits``."""

    added: AddedLines
    log: Iterator[Commit]

    def __post_init__(self) -> None:
        self.commits = [next(self.log, self.added.history.head)]
        self.splits: dict[int, Split] = {}
        self.estimates: list[float] = [self.at(0).lines]

    def at(self, index: int) -> Split:
        if index not in self.splits:
            commit = self.commits[index]
            new = self.added.since(commit)
            self.splits[index] = Split(commit, new, self.added.count(new))
        return self.splits[index]

    def walk(self, estimate: float) -> None:
        """At least one commit further, if there is one, and on until as much was added."""
        while (commit := next(self.log, None)) is not None:
            self.estimates.append(self.estimates[-1] + self.commits[-1].added)
            self.commits.append(commit)
            if self.estimates[-1] >= estimate:
                return


def _walk(search: _Search, wanted: Wanted) -> int | None:
    """The index of the newest commit since which enough is new; None if there is none."""
    before, place = -1, 0
    while search.at(place).lines < wanted.least:
        before = place
        ratio = wanted.least / max(search.at(place).lines, 1)
        goal = search.estimates[place] * min(max(ratio, 1.0), _STRIDE)
        search.walk(max(goal, wanted.least))
        place = len(search.commits) - 1
        if place == before:
            return None
    while place - before > 1 and search.at(place).lines > wanted.least * NEAR_ENOUGH:
        middle = (before + place) // 2
        if search.at(middle).lines < wanted.least:
            before = middle
        else:
            place = middle
    return place
