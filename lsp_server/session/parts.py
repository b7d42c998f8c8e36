"""What a session is handed: the engine, what is known of repositories, and who learns them."""

from typing import TYPE_CHECKING, Protocol

from ..completion.query import Completion
from ..prompt.snippets import SnippetSource
from ..protocol import Event
from ..trainer_messages import TrainerReport

if TYPE_CHECKING:  # the HTTP client is imported after the editor has its answer to `initialize`
    from ..adapter_loading import AdaptableEngine, LoadedAdapter
    from ..engine.supervisor import EngineStatus
    from ..errors import EngineError


class Engines(Protocol):
    """What a session needs of an ``EngineSupervisor``."""

    @property
    def status(self) -> "EngineStatus": ...
    def engine(self) -> "AdaptableEngine | None": ...
    def failed(self, error: "EngineError") -> None: ...
    async def refresh(self) -> None: ...


class Indexes(Protocol):
    """What a session needs of an ``Indexer``."""

    def index_of(self, root: str) -> SnippetSource | None: ...
    def saved(self, root: str, path: str) -> None: ...


class Adapters(Protocol):
    """What a session needs of an ``AdapterLoader``."""

    @property
    def serving(self) -> str | None: ...
    @property
    def trouble(self) -> str: ...
    def adapter_of(self, root: str, engine: "AdaptableEngine") -> "LoadedAdapter | None": ...
    def lost(self, root: str, engine: "AdaptableEngine") -> None: ...
    async def follow(self, engine: "AdaptableEngine", *, anew: bool = False) -> None: ...


class Learners(Protocol):
    """What a session needs of ``Trainers``."""

    def typed(self) -> None: ...
    def report_for(self, root: str | None) -> TrainerReport | None: ...


class Recorder(Protocol):
    """What a session, and who asks it, needs of a ``FeedbackRecorder``; only ``flush`` waits."""

    enabled: bool

    def offered(
        self, identifier: str, completion: Completion, root: str, language: str
    ) -> None: ...
    def accepted(self, identifier: str) -> None: ...
    def event(self, event: Event) -> None: ...
    async def flush(self) -> None: ...
