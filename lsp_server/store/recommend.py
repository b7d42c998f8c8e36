"""Which model of the catalogue suits this machine; pure but for :meth:`Machine.detect`."""

import platform
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import psutil

from ..cores import physical_cores
from .catalogue import CatalogueEntry

SLOWEST = 15.0
"""Tokens per second below which a completion comes too late to be read while typing."""

MEMORY_SHARE = 0.5
"""Of the available memory, so that editor, compiler and browser keep the rest."""

BESIDE_WEIGHTS = 0.15
"""Part of a model's size that its KV cache and its computation take beside the weights."""

WEIGHTS_PER_CORE = 500_000_000
"""Weights that one CPU core can put a prompt through in time. Reading a prompt computes twice as
many operations per token as there are weights, and a core was measured at 27 billion a second: 27
tokens per second at this limit. A GPU has no such limit."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What a model has to share: ``cores`` physical, ``memory_available`` in bytes."""

    cores: int
    memory_available: int
    gpu: bool

    @classmethod
    def detect(cls) -> "Machine":
        """The machine this runs on. ``gpu``: an NVIDIA driver's tool on PATH, or Apple silicon."""
        apple_silicon = platform.system() == "Darwin" and platform.machine() == "arm64"
        return cls(
            cores=physical_cores(),
            memory_available=psutil.virtual_memory().available,
            gpu=apple_silicon or shutil.which("nvidia-smi") is not None,
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """What the serving model did on this machine: bytes of its file, tokens decoded per second."""

    size: int
    tokens_per_second: float


def predicted_speed(entry: CatalogueEntry, measured: Measured) -> float | None:
    """Tokens per second, None if the size is unknown.

    Every token reads every weight once, so decoding is bound by memory bandwidth and scales with
    the inverse of the file's size.
    """
    if not entry.size:
        return None
    return measured.tokens_per_second * measured.size / entry.size


def suits(machine: Machine, entry: CatalogueEntry, measured: Measured) -> bool:
    """Whether a machine can serve a model in time; false where the catalogue knows no size.

    The model that serves now counts too: it stays in memory until the new one has loaded.
    """
    if not entry.size or (predicted_speed(entry, measured) or 0.0) < SLOWEST:
        return False
    needed = entry.size * (1 + BESIDE_WEIGHTS) + measured.size
    reads_in_time = machine.gpu or entry.params <= machine.cores * WEIGHTS_PER_CORE
    return reads_in_time and needed <= machine.memory_available * MEMORY_SHARE


def recommend(
    machine: Machine,
    installed: Collection[str],
    catalogue: Mapping[str, CatalogueEntry],
    measured: Measured,
) -> CatalogueEntry | None:
    """The best model that this machine can serve in time, None if it is installed already.

    Best is the one with the most weights among those the catalogue marks as offered (FIM base
    models of one family, so weights do order them) whose licence allows commercial work.
    """
    fitting = [
        entry
        for entry in catalogue.values()
        if entry.offered
        and not entry.noncommercial
        and entry.fim != "plain"
        and suits(machine, entry, measured)
    ]
    best = max(fitting, key=lambda entry: entry.params, default=None)
    if best is None:
        return None
    # Something at least as large may have been pulled on purpose, although it is slower here.
    known = [catalogue[name] for name in installed if name in catalogue]
    if any(entry.fim != "plain" and entry.params >= best.params for entry in known):
        return None
    return best
