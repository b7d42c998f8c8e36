"""What the watcher takes from outside, so that a test can give it another clock and another run."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lsp_server.store.paths import StorePaths
from lsp_server.store.training_extra import missing_packages
from lsp_server.store.training_rules import TrainingRules

from .machine import MachineState, read_machine
from .observing import Observation, observe
from .processes import train_command


@dataclass(frozen=True, slots=True)
class Clock:
    """``monotonic`` measures; ``wall`` (seconds since the epoch) is remembered, and may be set."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time

    def minute(self) -> int:
        """The local minute of the day."""
        now = time.localtime(self.wall())
        return 60 * now.tm_hour + now.tm_min


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The repository, Tenon's store, and the machine; ``command`` starts a run."""

    root: Path
    paths: StorePaths
    clock: Clock = field(default_factory=Clock)
    machine: Callable[[], MachineState] = read_machine
    missing: Callable[[], Sequence[str]] = missing_packages
    command: Callable[[Path, TrainingRules], Sequence[str]] = train_command
    observe: Callable[..., Observation] = observe
