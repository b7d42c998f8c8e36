"""What a run is about once it is known, and who follows it: what its stages are handed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from lsp_server.store.adapters import AdapterRegistry
from lsp_server.store.adapters.manifest import FILE
from lsp_server.store.repositories import RepositoryStore
from lsp_server.store.runs import Run

from ..clock import ActiveClock
from ..gate.report import Limits
from ..interruption import Interruption
from ..prepared import Cut, Prepared
from ..recipe.config import TrainConfig
from ..recipe.machine import Machine
from ..recipe.recipe import TrainingEvent
from ..served import ServedBase
from .start import Start


@dataclass(frozen=True, slots=True)
class Listener:
    """Who follows a run: stages in words, training's events, the gate's progress."""

    stage: Callable[[str], None] = lambda _text: None
    event: Callable[[TrainingEvent], None] = lambda _event: None
    judged: Callable[[str, int, int], None] = lambda _step, _done, _total: None


class Events(Protocol):
    """What a run's log hears."""

    def tell(self, event: Mapping[str, Any]) -> None: ...


class Unheard:
    """The log of a process that does not lead."""

    def tell(self, event: Mapping[str, Any]) -> None:
        """Nobody is to hear it twice."""


@dataclass(frozen=True, slots=True)
class Job:
    """``config`` is the one that is trained by, with all that followed from machine and start;
    ``checkpoint`` is where the run saves itself and goes on from; ``begin`` tells of a stage,
    unless the run is cancelled.
    """

    run: Run
    store: RepositoryStore
    base: ServedBase
    prepared: Prepared
    config: TrainConfig
    machine: Machine
    start: Start
    cancelled: Interruption
    clock: ActiveClock
    events: Events
    listener: Listener
    limits: Limits
    begin: Callable[[str], None]
    checkpoint: Path

    @property
    def candidate(self) -> Path:
        return self.run.candidate / FILE

    @property
    def cut(self) -> Cut:
        """How its prompts were cut."""
        base, prepared = self.base, self.prepared
        return Cut(base.identity, base.info.context, prepared.data_sha256, prepared.budget)

    @property
    def registry(self) -> AdapterRegistry:
        """The folder's own, which its adapter is published in."""
        return AdapterRegistry(self.store)
