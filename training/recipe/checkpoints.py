"""Where a run that was killed goes on: one file, replaced whole."""

import pickle
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lsp_server.store.paths import replacing


@dataclass(slots=True)
class Progress:
    """How far a run is: the ``seconds`` since it began, those of them it spent ``computing`` steps,
    the ``tokens`` this process has read, how often it was ``measured``.

    ``best`` is the least held-out loss in nats per token, ``worse`` the measurements since.
    """

    step: int = 0
    seconds: float = 0.0
    computing: float = 0.0
    tokens: int = 0
    measured: int = 0
    best: float = float("inf")
    worse: int = 0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a run needs to go on: its ``parameters``, the ``best`` of them so far, and what the
    ``optimizer`` and AdaLoRA's ``ranks`` remember.
    """

    progress: Progress
    parameters: list[Tensor]
    best: list[Tensor]
    optimizer: dict[str, Any]
    ranks: dict[str, Any]


def save(path: Path, run: str, checkpoint: Checkpoint) -> None:
    """Write a checkpoint of the run that ``run`` identifies (its base, samples, configuration)."""
    state = {it.name: getattr(checkpoint, it.name) for it in fields(checkpoint)}
    state |= {"run": run, "progress": asdict(checkpoint.progress)}
    with replacing(path) as temporary, temporary.open("wb") as file:
        torch.save(state, file)


def load(path: Path, run: str, parameters: Sequence[Tensor]) -> Checkpoint | None:
    """The checkpoint of this very run, on the CPU; None if there is none with such parameters."""
    unreadable = (OSError, RuntimeError, EOFError, pickle.UnpicklingError)
    malformed = (AttributeError, KeyError, TypeError, ValueError)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if state.pop("run") != run:
            return None
        found = Checkpoint(**state | {"progress": Progress(**state["progress"])})
        same = [it.shape for it in found.parameters] == [it.shape for it in parameters]
    except (*unreadable, *malformed):
        return None  # half a file, or an older Tenon's: the run begins anew
    return found if same and len(found.best) == len(found.parameters) else None
