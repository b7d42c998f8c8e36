"""From what replays noted to figures: one set per row, and ratios between rows. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .notes import Keystroke, Replayed

RESAMPLES = 2000
Place = tuple[str, int, int]
"""Trace, task, characters done: the same keystroke for every row."""


@dataclass(slots=True)
class Wait:
    """Milliseconds from a key until right text was on offer, at this key or a later one of its
    line, or until the line was typed (``met`` is False).

    ``at_once``: the same, if it was on offer before the next key. ``line`` is what is drawn when
    resampling.
    """

    ms: float
    met: bool
    line: tuple[str, int, int]
    fresh: bool
    at_once: float | None = None


@dataclass(slots=True)
class Figures:
    """One row, over all traces. Times are milliseconds."""

    row: str
    replays: list[Replayed] = field(repr=False)
    waits: dict[Place, Wait] = field(repr=False, default_factory=dict)

    @classmethod
    def of(cls, row: str, replays: Iterable[Replayed]) -> "Figures":
        own = [replay for replay in replays if replay.row == row]
        figures = cls(row, own)
        for replay in own:
            figures.waits |= waits(replay)
        return figures

    @property
    def keys(self) -> list[Keystroke]:
        return [key for replay in self.replays for key in replay.keys if key.expected]

    def fresh(self) -> list[float]:
        """From keys at which nothing right was on the screen, until it was, before the next."""
        return [1000 * key.right for key in self.keys if key.right is not None and not key.held]

    def total(self, of: Callable[[Replayed], float]) -> float:
        return sum(of(replay) for replay in self.replays)

    def summary(self) -> dict[str, Any]:
        """Every figure by name."""
        keys, requests = self.keys, [one for replay in self.replays for one in replay.requests]
        answered = [one for one in requests if one.answered is not None]
        cached = [one for one in answered if one.origin == "cache"]
        shown = [one for replay in self.replays for one in replay.shown]
        lookups = [1000 * (one.answered - one.sent) for one in cached if one.answered]
        made = [
            1000 * (one.answered - one.key)
            for one in answered
            if one.origin == "model" and one.answered
        ]
        saved, typed = self.total(lambda r: r.saved), self.total(lambda r: r.typed)
        prompt_n = self.total(lambda r: r.usage.prompt_n)
        predicted_n = self.total(lambda r: r.usage.predicted_n)
        useful = sum(one.predicted_n for one in requests if one.shown and one.origin == "model")
        fresh = self.fresh()
        return {
            "keys": len(keys),
            "seconds": self.total(lambda r: r.seconds),
            "offered_share": share(key.right is not None for key in keys),
            "held_share": share(key.held for key in keys),
            "fresh_n": len(fresh),
            "fresh_p50_ms": quantile(fresh, 0.5),
            "fresh_p95_ms": quantile(fresh, 0.95),
            "within_100_share": share(_within(key, 0.1) for key in keys),
            "within_250_share": share(_within(key, 0.25) for key in keys),
            "model_p50_ms": quantile(made, 0.5),
            "model_p95_ms": quantile(made, 0.95),
            "model_n": len(made),
            "requests": len(requests),
            "cancelled": sum(one.cancelled for one in requests),
            "cache_share": len(cached) / len(answered) if answered else 0.0,
            "cache_p95_ms": quantile(lookups, 0.95),
            "wasted_share": share(
                not one.shown for one in requests if one.origin == "model" or one.cancelled
            ),
            "prompt_n": prompt_n,
            "predicted_n": predicted_n,
            "predicted_unused": max(0.0, predicted_n - useful),
            "tokens_per_key": (prompt_n + predicted_n) / len(keys) if keys else 0.0,
            "cpu_s": self.total(lambda r: r.usage.cpu),
            "engine_cpu_s": self.total(lambda r: r.usage.engine_cpu),
            "memory_mib": max((replay.usage.memory for replay in self.replays), default=0.0),
            "shown": len(shown),
            "shown_right_share": share(one.right for one in shown),
            "repeats": sum(one.repeats for one in shown),
            "misplaced": self.total(lambda r: r.misplaced),
            "flickers": self.total(lambda r: len(r.flickers)),
            "grown": self.total(lambda r: r.grown),
            "accepted": self.total(lambda r: r.accepted),
            "saved_share": saved / (saved + typed) if saved + typed else 0.0,
        }


def _within(key: Keystroke, seconds: float) -> bool:
    return key.right is not None and key.right <= seconds


def waits(replay: Replayed) -> dict[Place, Wait]:
    """Of every key at which something right was to be expected; the first one at each place."""
    found: dict[Place, Wait] = {}
    ends: dict[tuple[int, int], float] = {}
    for key in replay.keys:
        ends[key.line] = max(ends.get(key.line, 0.0), key.until)
    coming: dict[tuple[int, int], float] = {}
    for key in reversed(replay.keys):
        if key.right is not None:
            coming[key.line] = key.at + key.right
        if not key.expected:
            continue
        moment = coming.get(key.line)
        until = moment if moment is not None else ends[key.line]
        place = (replay.trace, *key.place)
        line = (replay.trace, *key.line)
        wait = Wait(1000 * (until - key.at), moment is not None, line, not key.held)
        wait.at_once = None if key.right is None else 1000 * key.right
        found[place] = wait
    return found


@dataclass(frozen=True, slots=True)
class Ratio:
    """A row's figure over another's, with a 95 % interval; None where there is too little."""

    name: str
    n: int
    one: float
    other: float
    ratio: float
    low: float
    high: float


def compare(one: Figures, other: Figures, everyone: Sequence[Figures]) -> list[Ratio]:
    """``one`` over ``other``, on the same keystrokes."""
    pairs = [
        (place, mine, theirs)
        for place, mine in one.waits.items()
        if (theirs := other.waits.get(place)) and (mine.fresh or theirs.fresh)
    ]
    at_once = [
        (mine.line, mine.at_once, theirs.at_once)
        for _, mine, theirs in pairs
        if mine.at_once is not None and theirs.at_once is not None
    ]
    both = [(mine.line, mine.ms, theirs.ms) for _, mine, theirs in pairs if mine.met and theirs.met]
    answerable = [
        (mine.line, mine.ms, theirs.ms)
        for place, mine, theirs in pairs
        if any((wait := row.waits.get(place)) and wait.met for row in everyone)
    ]
    ratios = []
    for name, measured in (
        ("right at the same key", at_once),
        ("waited on lines right for both", both),
        ("waited on lines right for anyone", answerable),
    ):
        for part in (0.5, 0.95):
            ratios += _ratio_of_quantiles(f"{name}, p{100 * part:.0f}, ms", measured, part)
    traces = {replay.trace: replay for replay in other.replays}
    paired = [
        (mine.usage.cpu, traces[mine.trace].usage.cpu)
        for mine in one.replays
        if mine.trace in traces
    ]
    return ratios + _ratio_of_sums("CPU seconds", paired)


def _ratio_of_quantiles(
    name: str, measured: Sequence[tuple[tuple[str, int, int], float, float]], part: float
) -> list[Ratio]:
    if len(measured) < 5:
        return []
    lines: dict[tuple[str, int, int], list[tuple[float, float]]] = {}
    for line, mine, theirs in measured:
        lines.setdefault(line, []).append((mine, theirs))
    clusters = [np.array(entries) for entries in lines.values()]

    def figures(chosen: Sequence[NDArray[Any]]) -> tuple[float, float]:
        rows = np.concatenate(list(chosen))
        return quantile(rows[:, 0], part), quantile(rows[:, 1], part)

    return [_bootstrapped(name, len(measured), clusters, figures)]


def _ratio_of_sums(name: str, pairs: Sequence[tuple[float, float]]) -> list[Ratio]:
    if not pairs:
        return []
    clusters = [np.array([pair]) for pair in pairs]

    def figures(chosen: Sequence[NDArray[Any]]) -> tuple[float, float]:
        rows = np.concatenate(list(chosen))
        return float(rows[:, 0].sum()), float(rows[:, 1].sum())

    return [_bootstrapped(name, len(pairs), clusters, figures)]


def _bootstrapped(
    name: str,
    count: int,
    clusters: Sequence[NDArray[Any]],
    figures: Callable[[Sequence[NDArray[Any]]], tuple[float, float]],
) -> Ratio:
    one, other = figures(clusters)
    draws = np.random.default_rng(7)
    ratios = []
    for _ in range(RESAMPLES):
        chosen = [clusters[at] for at in draws.integers(0, len(clusters), len(clusters))]
        ratios.append(_over(*figures(chosen)))
    low, high = np.nanpercentile(ratios, [2.5, 97.5])
    return Ratio(name, count, one, other, _over(one, other), float(low), float(high))


def _over(one: float, other: float) -> float:
    return one / other if other > 0 else float("nan")


def quantile(values: Sequence[float] | NDArray[Any], part: float) -> float:
    """NaN of nothing."""
    return (
        float(np.quantile(np.asarray(values, dtype=float), part)) if len(values) else float("nan")
    )


def share(flags: Iterable[bool]) -> float:
    """Of all, how many are true; 0 of nothing."""
    values = list(flags)
    return sum(values) / len(values) if values else 0.0
