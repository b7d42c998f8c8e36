"""Which model of the catalogue suits this machine; pure but for :meth:`Machine.detect`."""

import platform
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import psutil

from .catalogue import CatalogueEntry

SLOWEST = 15.0
"""Tokens per second below which a completion comes too late to be read while typing."""

MEMORY_SHARE = 0.5
"""Of the available memory, so that editor, compiler and browser keep the rest."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What a model has to share: ``cores`` physical, memory in bytes."""

    cores: int
    memory_total: int
    memory_available: int
    gpu: bool

    @classmethod
    def detect(cls) -> "Machine":
        """The machine this runs on. ``gpu``: an NVIDIA driver's tool on PATH, or Apple silicon."""
        memory = psutil.virtual_memory()
        apple_silicon = platform.system() == "Darwin" and platform.machine() == "arm64"
        return cls(
            cores=psutil.cpu_count(logical=False) or psutil.cpu_count() or 1,
            memory_total=memory.total,
            memory_available=memory.available,
            gpu=apple_silicon or shutil.which("nvidia-smi") is not None,
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """What a known model did on this machine: bytes of its file, tokens decoded per second."""

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
    room = machine.memory_available * MEMORY_SHARE
    fitting = [
        entry
        for entry in catalogue.values()
        if entry.offered
        and not entry.noncommercial
        and entry.fim != "plain"
        and entry.size is not None
        and entry.size <= room
        and (predicted_speed(entry, measured) or 0.0) >= SLOWEST
    ]
    best = max(fitting, key=lambda entry: entry.params, default=None)
    if best is None:
        return None
    # Something at least as large may have been pulled on purpose, although it is slower here.
    known = [catalogue[name] for name in installed if name in catalogue]
    if any(entry.fim != "plain" and entry.params >= best.params for entry in known):
        return None
    return best
