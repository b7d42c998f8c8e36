"""Where a run that was killed goes on: one file, replaced whole."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(slots=True)
class Progress:
    """How far a run is: the ``seconds`` since it began, those of them it spent ``computing`` steps,
    the ``tokens`` it has read.

    ``best`` is the least held-out loss in nats per token, ``worse`` the measurements since.
    """

    step: int = 0
    seconds: float = 0.0
    computing: float = 0.0
    tokens: int = 0
    best: float = float("inf")
    worse: int = 0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a run needs to go on: also the ``best`` weights so far."""

    progress: Progress
    parameters: list[nn.Parameter]
    best: list[Tensor]
    optimizer: torch.optim.Optimizer


def save(path: Path, run: str, checkpoint: Checkpoint) -> None:
    """Write a checkpoint of the run that ``run`` identifies (its base, samples, configuration)."""
    temporary = path.with_name(f".{path.name}.tmp")
    state = {
        "run": run,
        "progress": asdict(checkpoint.progress),
        "parameters": [it.detach() for it in checkpoint.parameters],
        "best": checkpoint.best,
        "optimizer": checkpoint.optimizer.state_dict(),
    }
    try:
        with temporary.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load(
    path: Path,
    run: str,
    parameters: list[nn.Parameter],
    optimizer: torch.optim.Optimizer,
) -> tuple[Progress, list[Tensor]] | None:
    """Go on from a checkpoint: sets parameters and optimizer; None if there is none of this run."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        return None
    except (OSError, RuntimeError, EOFError, ValueError, KeyError):
        return None  # half a file of an older Tenon, say: the run begins anew
    shapes = [it.shape for it in parameters]
    if state.get("run") != run or [it.shape for it in state["parameters"]] != shapes:
        return None
    with torch.no_grad():
        for parameter, value in zip(parameters, state["parameters"], strict=True):
            parameter.copy_(value)
    optimizer.load_state_dict(state["optimizer"])
    best = [
        value.to(parameter.device)
        for parameter, value in zip(parameters, state["best"], strict=True)
    ]
    return Progress(**state["progress"]), best
