"""Samples made by many processes, and once for all arms that draw the same ones."""

import os
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

from training.data.dataset import Dataset
from training.data.samples import Sample

WORKERS = max(1, len(os.sched_getaffinity(0)) - 1)

_DATASET: Dataset | None = None


@dataclass(slots=True)
class Made:
    """Keeps what was made, by what it was made of; a longer run goes on where a shorter stopped."""

    _kept: dict[Hashable, list[Sample]] = field(default_factory=dict)

    def first(self, count: int, of: Hashable, dataset: Callable[[], Dataset]) -> Iterator[Sample]:
        """The first ``count`` samples of ``dataset``, which ``of`` names."""
        kept = self._kept.setdefault(of, [])
        yield from kept[:count]
        for sample in _made(dataset(), range(len(kept), count)) if len(kept) < count else ():
            kept.append(sample)
            yield sample


def _made(dataset: Dataset, numbers: range) -> Iterator[Sample]:
    """Samples by number, from forked processes: sample i is a function of i alone."""
    global _DATASET  # noqa: PLW0603 - what the forked processes inherit
    _DATASET = dataset
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("fork")) as pool:
        yield from pool.map(_sample, numbers, chunksize=16)


def _sample(number: int) -> Sample:
    assert _DATASET is not None
    return _DATASET.sample(number)
