"""What the trainer of a repository remembers when nothing runs: ``trainer.json``.

``tenon watch`` writes it, in one replacement each time; ``tenon status`` reads it.
"""

from pathlib import Path

import msgspec

from ..trainer_messages import Schedule, TrainerState, Verdict
from .locks import Holder
from .paths import replace_file
from .repositories import RepositoryStore

FILE_NAME = "trainer.json"


class DriftScores(msgspec.Struct, frozen=True, kw_only=True):
    """How an adapter does on code that was written after it was judged.

    ``spans`` has for each span of new code that was asked about its file and a figure, oldest
    first, ``gate`` is the mean that the gate found; both figures in nats per token.
    """

    adapter: str
    gate: float
    spans: tuple[tuple[str, float], ...] = ()


class TrainerMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What outlives a watcher.

    ``schedule`` is the one that last held, tenon.toml included; ``state``, ``message`` and
    ``waiting_for`` are those of the last report. ``pending`` counts pairs that are new or changed
    since the last run, ``finished`` is that run's end in seconds since the epoch. ``paused`` is the
    user's wish. ``unfinished`` says that a run began and has not ended by itself; ``child`` is
    its process, ``held`` a process of somebody else that the watcher suspended. ``watcher`` is the
    process that wrote this.
    """

    schedule: Schedule = msgspec.field(default_factory=Schedule)
    state: TrainerState = "idle"
    message: str = ""
    waiting_for: tuple[str, ...] = ()
    pending: int = 0
    paused: bool = False
    finished: float | None = None
    last: Verdict | None = None
    unfinished: bool = False
    child: Holder | None = None
    held: Holder | None = None
    watcher: Holder | None = None
    drift: DriftScores | None = None


def trainer_file(repository: RepositoryStore) -> Path:
    """Where the memory lies."""
    return repository.folder / FILE_NAME


def read_trainer(repository: RepositoryStore) -> TrainerMemory:
    """What was remembered; a new memory if there is none, or none that can be read."""
    try:
        return msgspec.json.decode(trainer_file(repository).read_bytes(), type=TrainerMemory)
    except (OSError, msgspec.DecodeError):
        return TrainerMemory()


def write_trainer(repository: RepositoryStore, memory: TrainerMemory) -> None:
    """Raises ``OSError`` (disk full, read-only home), with the old memory untouched."""
    replace_file(trainer_file(repository), msgspec.json.encode(memory))
