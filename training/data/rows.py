"""Packed rows as tensors: batches from worker processes, and a fixed set of held-out ones."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from itertools import islice

import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from .packing import Row, Weights, packed
from .stream import SampleStream

Tensors = dict[str, Tensor]
"""The arrays of a :class:`Row` by name."""


class PackedRows(IterableDataset[Tensors]):
    """Rows of ``length`` tokens without end; every worker process has its own share of the corpus.

    ``unlearned`` are the control tokens that only a prompt holds.
    """

    def __init__(
        self,
        stream: SampleStream,
        length: int,
        weights: Weights,
        unlearned: Sequence[int],
        *,
        seed: int,
    ) -> None:
        self._stream, self._length, self._weights = stream, length, weights
        self._unlearned, self._seed = frozenset(unlearned), seed

    def __iter__(self) -> Iterator[Tensors]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        samples = self._stream.samples(self._seed, worker, workers)
        yield from map(_tensors, packed(samples, self._length, self._weights, self._unlearned))


def batches(rows: PackedRows, size: int, *, workers: int) -> "DataLoader[Tensors]":
    """Stacks of ``size`` rows, made by ``workers`` processes beside the training (0: in it)."""
    return DataLoader(
        rows,
        batch_size=size,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        pin_memory=torch.cuda.is_available(),
    )


def fixed(rows: PackedRows, size: int, count: int) -> list[Tensors]:
    """The first ``count`` batches, kept: what a loss is compared on."""
    first = iter(rows)
    groups = (list(islice(first, size)) for _ in range(count))
    return [
        {name: torch.stack([row[name] for row in group]) for name in group[0]}
        for group in groups
        if group
    ]


def _tensors(row: Row) -> Tensors:
    return {field.name: torch.from_numpy(getattr(row, field.name)) for field in fields(row)}
