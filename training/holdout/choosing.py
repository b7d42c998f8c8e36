"""Chooses files to hold out: in which order, and how many."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence

from .timesplit import Wanted

DAY = 86_400.0
TOO_MANY = 1.25
"""How far above its limit a share may be before some of the changed files are taken back."""


def order(seed: int) -> Callable[[str], float]:
    """A number from 0 to 1 for every path, always the same one for a seed."""

    def place(path: str) -> float:
        named = f"{seed}\0{path}".encode("utf-8", "surrogateescape")
        return int.from_bytes(hashlib.sha256(named).digest()[:7]) / 2**56

    return place


def newest_first(
    paths: Iterable[str], clocks: Iterable[Mapping[str, float]], seed: int
) -> tuple[list[str], bool]:
    """The paths by the first clock that tells them apart by more than a day, and whether one did.

    Files of one day, such as a clone's or an import's, stand in an order that ``seed`` draws; so do
    all of them, if no clock helps. Files that a clock does not know are new to it.
    """
    drawn = sorted(paths, key=order(seed))
    for clock in clocks:
        known = [clock[path] for path in drawn if path in clock]
        if known and max(known) - min(known) > DAY:
            newest = max(known)
            return sorted(drawn, key=lambda path: -(clock.get(path, newest) // DAY)), True
    return drawn, False


def fill(paths: Sequence[str], sizes: Mapping[str, int], wanted: Wanted) -> set[str]:
    """Files in their order until enough is held out; one that is too large by far is passed over.

    Enough lines in too few files are not enough, as long as another one fits below the limit.
    If none does, the smallest that is not empty; there must be one.
    """
    chosen: set[str] = set()
    lines = 0
    for path in paths:
        few_lines, few_files = lines < wanted.least, len(chosen) < wanted.files
        if not few_lines and not few_files:
            break
        most = wanted.most * TOO_MANY if few_lines else wanted.most
        if sizes[path] and lines + sizes[path] <= most:
            chosen.add(path)
            lines += sizes[path]
    return chosen or {min((path for path in paths if sizes[path]), key=sizes.__getitem__)}
