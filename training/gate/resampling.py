"""How far a mean difference may be chance: the bootstrap over files. Pure, seeded, numpy alone.

Spans of one file are not independent, so whole files are drawn (the cluster bootstrap). The mean
is over spans, each counting alike, and is a ratio of two sums over the files drawn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_CELLS = 2_000_000
"""Files drawn times resamples that are held at once: 16 MB."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Means of each arm's differences, shape (arms,), and what they lie above together."""

    means: Floats
    lower: Floats


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """``resamples`` draws of as many files as there are, repeatable by ``seed``.

    ``confidence`` is that of a two-sided interval: its lower end is missed in one case of
    2 / (1 - ``confidence``).
    """

    resamples: int = 10_000
    confidence: float = 0.95
    seed: int = 0

    def simultaneous_lower(self, files: Sequence[str], differences: Floats) -> Bounds:
        """Lower bounds that hold for all arms at once, so that the best one may be picked freely.

        ``differences`` has the shape (arms, spans). Studentised, which keeps its promise also with
        a dozen files and skewed differences: t = (mean* - mean) / error* of each resample, and the
        largest t of any arm (max-t; Romano and Wolf 2005) is what all arms are held to. As the
        arms are scales of one adapter they move together, and the correction costs little.
        """
        clusters = _Clusters.of(files, differences)
        means, errors = clusters.means(), clusters.errors()
        varying = errors > 0  # an arm that is the same everywhere has no error to speak of
        if not varying.any():
            return Bounds(means, means)
        largest = []
        for drawn in self._draws(clusters.count):
            mean, error = clusters.means(drawn), clusters.errors(drawn)
            # A resample of equal files says nothing about its error: counted as the worst.
            t = np.divide(mean - means, error, out=np.full_like(mean, np.inf), where=error > 0)
            largest.append(t[:, varying].max(axis=1))
        level = 1 - (1 - self.confidence) / 2
        limit = np.quantile(np.concatenate(largest), level, method="higher")
        lower = means.copy()
        lower[varying] -= limit * errors[varying]
        return Bounds(means, lower)

    def upper(self, files: Sequence[str], differences: Floats) -> float:
        """What a mean lies below, one-sided; ``differences`` has the shape (spans,).

        The plain percentile: for matches that are 0 or 1 most resamples have no error of their own.
        """
        clusters = _Clusters.of(files, differences[None])
        means = [clusters.means(drawn)[:, 0] for drawn in self._draws(clusters.count)]
        return float(np.quantile(np.concatenate(means), self.confidence))

    def _draws(self, files: int) -> Iterator[Floats]:
        """How often each file is drawn: arrays of the shape (some resamples, files)."""
        random = np.random.default_rng(self.seed)
        block = max(1, _CELLS // files)
        share = np.full(files, 1 / files)
        for start in range(0, self.resamples, block):
            size = min(block, self.resamples - start)
            yield random.multinomial(files, share, size=size).astype(np.float64)


@dataclass(frozen=True, slots=True)
class _Clusters:
    """Sums of the differences, shape (files, arms), and numbers of spans, shape (files,)."""

    sums: Floats
    spans: Floats

    @classmethod
    def of(cls, files: Sequence[str], differences: Floats) -> "_Clusters":
        names, number = np.unique(np.asarray(files), return_inverse=True)
        rows = (*differences, np.ones(len(files)))
        *sums, spans = (np.bincount(number, row, len(names)) for row in rows)
        return cls(np.stack(sums, axis=1), spans.astype(np.float64))

    @property
    def count(self) -> int:
        return len(self.spans)

    def means(self, drawn: Floats | None = None) -> Floats:
        """Shape (arms,), or (resamples, arms)."""
        if drawn is None:
            drawn = np.ones(self.count)
        means: Floats = (drawn @ self.sums) / (drawn @ self.spans)[..., None]
        return means

    def errors(self, drawn: Floats | None = None) -> Floats:
        """Standard errors of the means, linearised as a ratio's are."""
        if drawn is None:
            drawn = np.ones(self.count)
        means, spans = self.means(drawn), (drawn @ self.spans)[..., None]
        squares = (
            drawn @ self.sums**2
            - 2 * means * (drawn @ (self.sums * self.spans[:, None]))
            + means**2 * (drawn @ self.spans**2)[..., None]
        )
        # What rounding leaves of nothing is nothing.
        squares[squares < 1e-12 * (drawn @ self.sums**2)] = 0
        errors: Floats = np.sqrt(squares * self.count / max(self.count - 1, 1)) / spans
        return errors
