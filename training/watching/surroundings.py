"""What the watcher takes from outside, so that a test can give it another clock and another run."""

import importlib
import importlib.util
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lsp_server.store.paths import StorePaths
from lsp_server.store.training_rules import TrainingRules

from .machine import MachineState, read_machine
from .observing import Observation, observe
from .processes import train_command

NEEDED = ("torch", "transformers", "peft", "tokenizers")


@dataclass(frozen=True, slots=True)
class Clock:
    """``monotonic`` measures; ``wall`` (seconds since the epoch) is remembered, and may be set."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time

    def minute(self) -> int:
        """The local minute of the day."""
        now = time.localtime(self.wall())
        return 60 * now.tm_hour + now.tm_min


def missing() -> str:
    """The first package that training needs and that is not installed; "" if all are."""
    importlib.invalidate_caches()
    return next((name for name in NEEDED if importlib.util.find_spec(name) is None), "")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The repository, Tenon's store, and the machine; ``command`` starts a run."""

    root: Path
    paths: StorePaths
    clock: Clock = field(default_factory=Clock)
    machine: Callable[[], MachineState] = read_machine
    missing: Callable[[], str] = missing
    command: Callable[[Path, TrainingRules], Sequence[str]] = train_command
    observe: Callable[..., Observation] = observe
