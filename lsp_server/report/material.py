"""Everything that a report is about, read from the store; nothing is asked of an engine."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from .. import __version__
from ..errors import AdapterError
from ..store.adapters import AdapterRegistry, StoredAdapter
from ..store.adapters.manifest import GATE
from ..store.catalogue import STARTER
from ..store.choosing import serving_store, shelf_of
from ..store.feedback_summary import Feedback, read_feedback
from ..store.models import ModelStore
from ..store.paths import StorePaths
from ..store.repositories import RepositoryStore
from ..store.runs import RunStore
from .gates import Gate, read_gate
from .runs import RunStory, story_of


@dataclass(frozen=True, slots=True)
class Judged:
    """An adapter and what its gate found (None: it cannot be read)."""

    adapter: StoredAdapter
    gate: Gate | None
    serves: bool


@dataclass(frozen=True, slots=True)
class Material:
    """``adapters`` and ``runs`` are oldest first; ``active`` is the id of the adapter that serves
    (None: the base alone), ``trouble`` why that cannot be told. ``whose`` says whose the adapters
    are, empty: the repository's own; runs and feedback always are.
    """

    repository: str
    made: datetime
    version: str
    model: str
    installed: bool
    active: str | None
    trouble: str
    adapters: tuple[Judged, ...]
    runs: tuple[RunStory, ...]
    feedback: Feedback
    whose: str = ""

    @property
    def serving(self) -> Judged | None:
        """The adapter that serves."""
        return next((judged for judged in self.adapters if judged.serves), None)


def collect(paths: StorePaths, root: Path, now: datetime | None = None) -> Material:
    """Reads the disk; what is missing or damaged is left out."""
    store = RepositoryStore.of(paths, root)
    models = ModelStore(paths)
    model = models.chosen() or STARTER
    serving = serving_store(paths, root)
    shelf = shelf_of(paths, root, serving)
    active, trouble = None, ""
    try:
        active = AdapterRegistry(serving.store).active_id()
    except AdapterError as error:
        trouble = str(error)
    return Material(
        repository=store.name,
        made=now or datetime.now(UTC),
        version=__version__,
        model=model,
        installed=any(entry.name == model for entry in models.installed()),
        active=active,
        trouble=trouble,
        adapters=tuple(
            Judged(adapter, read_gate(adapter.path.parent / GATE), adapter.id == active)
            for adapter in reversed(AdapterRegistry(shelf.store).all())
        ),
        runs=tuple(story_of(run) for run in reversed(RunStore(store).all())),
        feedback=read_feedback(paths.feedback, store.folder.name),
        whose=shelf.reason,
    )
