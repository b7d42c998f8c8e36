"""What each of several processes does: runs that all take part in, told in ``FOLDER/<process>.pt``.

``python -m torch.distributed.run --nproc-per-node=2 tests/runs_of_processes.py FOLDER``
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from accelerate import PartialState

from lsp_server.errors import SettingsError
from tests.tiny_trainee import Follower, Trained, tiny_material, tiny_samples, trained
from tests.train_extra import torch
from training.recipe.recipe import TrainingCancelledError

HELDOUT = tiny_material(heldout=tiny_samples(5, seed=9))
SETTINGS = (
    {"step_samples": 2, "prompt_weight": 0.0, "max_steps": 5},
    {"max_steps": 5},
    {"method": "adalora", "max_steps": 3},
)


def told(run: Trained) -> dict[str, object]:
    return {
        "weights": run.weights,
        "steps": run.progress.step,
        "best": run.progress.best,
        "losses": [it.loss for it in run.events],
    }


def plain_runs() -> list[dict[str, object]]:
    return [told(trained(HELDOUT, **settings)) for settings in SETTINGS]


def main(folder: Path) -> None:
    place = PartialState(cpu=True).process_index
    result: dict[str, object] = {"plain": plain_runs(), "stopped": None}
    only_one = Follower(stop_after=3 if place else None)
    try:
        trained(HELDOUT, only_one)
    except TrainingCancelledError:
        result["stopped"] = only_one.asked
    try:
        trained(step_samples=3)
    except SettingsError as error:
        result["refused"] = str(error)
    # One process's clock is ahead of the other's by what they slept before they began.
    slow = Follower(before=lambda step: time.sleep(0.1 * (step == 0 and place) + 0.01))
    result["late"] = told(trained(HELDOUT, slow, passes=1e6, time_budget=0.5, patience=10**6))
    torch.save(result, folder / f"{place}.pt")
    PartialState(cpu=True).destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
