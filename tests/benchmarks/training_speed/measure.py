"""One case on one shape: built once, checked, and timed on every load."""

import gc
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import median

import torch

from .loads import Load
from .sides import Case, Side, side

GIB = 2**30


@dataclass(frozen=True, slots=True)
class Row:
    """What one case came to on one load.

    ``tokens_per_second`` counts real tokens, ``padded_per_second`` padding too; ``seconds`` is the
    median step's. Memory is in GiB, after the warm-up: the most that was allocated, and reserved.
    """

    shape: str
    case: str
    precision: str
    side: str
    load: str
    tokens_per_second: float = 0.0
    padded_per_second: float = 0.0
    seconds: float = 0.0
    steps: int = 0
    allocated: float = 0.0
    reserved: float = 0.0
    loss: float = 0.0
    gradient: float = 0.0
    failure: str = ""


def measure(
    shape: str, case: Case, loads: Sequence[Load], device: torch.device, *, seconds: float
) -> Iterator[Row]:
    """A row for each load; one that does not fit the memory, or fails, is a row that says so."""
    try:
        torch.compiler.reset()  # or the graphs of other cases count as this one's
        trainer, failure = side(shape, case, device), ""
    except Exception as error:  # noqa: BLE001 - a row that says so
        trainer, failure = None, _said(error)
    for load in loads:
        about = {"shape": shape, "case": case.name, "precision": case.precision, "side": case.side}
        row = Row(**about, load=load.name, failure=failure)
        if trainer is not None:
            try:
                row = _timed(row, trainer, load, device, seconds)
            except Exception as error:  # noqa: BLE001
                row = Row(**about, load=load.name, failure=_said(error))
            _forget(device)
        yield row
    del trainer
    _forget(device)


def _timed(row: Row, trainer: Side, load: Load, device: torch.device, seconds: float) -> Row:
    found = trainer.computed(next(load.batches(0)))
    warm_up = max(2, load.cycle)
    times = trainer.seconds(load, warm_up=warm_up, at_least=seconds)
    numbers = range(warm_up, warm_up + len(times))
    gpu = device.type == "cuda"
    measured = {
        "tokens_per_second": sum(map(load.tokens, numbers)) / sum(times),
        "padded_per_second": sum(trainer.padded(load, it) for it in numbers) / sum(times),
        "seconds": median(times),
        "steps": len(times),
        "allocated": torch.cuda.max_memory_allocated() / GIB if gpu else 0.0,
        "reserved": torch.cuda.max_memory_reserved() / GIB if gpu else 0.0,
    }
    return Row(**(asdict(row) | measured | asdict(found)))


def _said(error: Exception) -> str:
    if isinstance(error, torch.OutOfMemoryError):
        return "out of memory"
    return f"{type(error).__name__}: {error}"[:300]


def _forget(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
