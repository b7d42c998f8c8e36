"""The processes that a launcher started to train together: who leads, and what all go by.

One leads: it locks, prepares, judges, publishes and speaks. The others compute with it, and leave
nothing on disk. A launcher ends them all if one of them fails.
"""

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list

PATIENCE = timedelta(hours=6)
"""For which the others wait for the one that leads, which may have to fetch a model first."""
Plan = TypeVar("Plan")


@dataclass(frozen=True, slots=True)
class Team:
    """``place`` is this process's among ``size``; the one at 0 leads."""

    size: int = 1
    place: int = 0

    @classmethod
    def of_launch(cls) -> "Team":
        """As torch's launcher, and accelerate's, which uses it, tell their processes."""
        return cls(int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0")))

    @property
    def leads(self) -> bool:
        return self.place == 0

    def hand_out(self, plan: Plan | None) -> Plan | None:
        """What the one that leads has given, which is None elsewhere; waits for all."""
        if self.size == 1:
            return plan
        PartialState(cpu=not torch.cuda.is_available(), timeout=PATIENCE)
        box = [plan]
        broadcast_object_list(box)
        return box[0]

    def part(self) -> None:
        """Leave each other, in good order."""
        if self.size > 1:
            PartialState().destroy_process_group()


ALONE = Team()
