"""One editor's session: documents become prompts' sources, answers become edits, state a status."""

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from . import __version__
from .completion.provider import Completion, CompletionProvider, ProviderOptions, Query
from .completion.reasons import Reason
from .documents import locate, offset_of, root_of
from .edits import Request, Suggestion, is_larger, place_of
from .prompt.assemble import Source
from .prompt.snippets import SnippetSource
from .protocol import EngineReport, Outcome, State, Status
from .settings import ServerSettings, parse

if TYPE_CHECKING:  # the HTTP client is imported after the editor has its answer to `initialize`
    from .adapter_loading import AdaptableEngine
    from .engine.supervisor import EngineStatus
    from .errors import EngineError

_log = logging.getLogger(__name__)
RECENT = 20
REFRESH_SECONDS = 1.0
"""What a status may wait for the engine's own word."""
WATCH_SECONDS = 20.0
"""Between two looks at an engine that nobody asks anything."""


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
    def saved(self, root: str) -> None: ...


class Adapters(Protocol):
    """What a session needs of an ``AdapterLoader``."""

    @property
    def serving(self) -> str | None: ...
    def adapter_of(self, root: str, engine: "AdaptableEngine") -> str | None: ...
    def lost(self, root: str, engine: "AdaptableEngine") -> None: ...
    async def follow(self, engine: "AdaptableEngine") -> None: ...


class Session:
    """Settings, provider and status of one editor; the engine and the models are handed in.

    ``on_status`` hears of every change that a user would notice.
    """

    def __init__(self, on_status: Callable[[Status], None]) -> None:
        self.settings = ServerSettings()
        self.engines: Engines | None = None
        self.indexes: Indexes | None = None
        self.adapters: Adapters | None = None
        self._on_status = on_status
        self._provider = CompletionProvider()
        self._recent: deque[Outcome] = deque(maxlen=RECENT)
        self._offered: deque[str] = deque(maxlen=RECENT)
        self._accepted = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_error = ""
        self._setup: tuple[State, str] | None = ("starting", "Tenon is starting.")
        self._published: Status | None = None

    def configure(self, raw: object) -> str:
        """Take over settings as the editor sent them; returns one message to show, if any."""
        parsed = parse(raw)
        if parsed.unknown:
            _log.info("unknown settings are ignored: %s", ", ".join(parsed.unknown))
        settings = self.settings = parsed.settings
        self._provider.configure(
            ProviderOptions(
                latency_target_ms=settings.latency_target_ms,
                debounce_ms=settings.debounce_ms,
                max_lines=settings.max_lines,
                multiline=settings.multiline,
            )
        )
        self.publish()
        return parsed.message

    async def complete(self, request: Request) -> tuple[Suggestion | None, Completion]:
        """Answer a request; whatever is wrong with it becomes the completion's reason."""
        try:
            suggestion, completion = await self._complete(request)
        except asyncio.CancelledError:
            self._note(Completion("", Reason.CANCELLED))
            raise
        except Exception as error:  # noqa: BLE001  # an editor would pop it up before who types
            _log.exception("a completion failed")
            suggestion, completion = None, Completion("", Reason.FAILED)
            self._last_error = f"a completion failed: {error!r}"
            self.publish()
        self._note(completion)
        return suggestion, completion

    async def _complete(self, request: Request) -> tuple[Suggestion | None, Completion]:
        text = request.text
        if (refused := self._refusal(request)) or text is None:
            return None, Completion("", refused or Reason.UNKNOWN_DOCUMENT)
        cursor = offset_of(text, request.position, request.encoding)
        if cursor is None:
            return None, Completion("", Reason.OUTSIDE)
        place = place_of(request, text, cursor)
        path, repository = locate(request.path, request.roots)
        source = Source(place.document.before, place.document.after, path, repository)
        root = root_of(request.path, request.roots)
        index = self.indexes.index_of(root) if self.indexes and root else None
        engine = self.engines.engine() if self.engines else None
        adapter = None
        if self.adapters and root and engine is not None:
            adapter = self.adapters.adapter_of(root, engine)
        query = Query(request.uri, source, request.automatic, adapter, index)
        completion = await self._provider.complete(query, engine, absent=self._absent())
        if self.adapters and root and engine is not None and _is_without(adapter, completion):
            self.adapters.lost(root, engine)
        if self.engines is not None:
            self._follow(self.engines, completion)
        if not completion.text:
            return None, completion
        identifier = uuid.uuid4().hex
        self._offered.append(identifier)
        return place.suggestion(identifier, completion.text, completion.replace), completion

    def saved(self, path: str | None, roots: tuple[str, ...]) -> None:
        """A document was saved; what is known of its repository follows soon."""
        root = root_of(path, roots)
        if self.indexes is not None and root is not None:
            self.indexes.saved(root)

    def _follow(self, engines: Engines, completion: Completion) -> None:
        """Tell the supervisor what a request found out about its engine."""
        if completion.error is not None:
            engines.failed(completion.error)
        info = engines.status.info
        if info and completion.reason is Reason.SHOWN and completion.model != info.model:
            # Somebody else switched the shared engine to another model.
            self._later(engines.refresh())

    def engine_changed(self) -> None:
        """The engine's status is another one: the editor hears of it, and one that is ready gets
        its adapters before a keystroke asks for them.
        """
        self.publish()
        self._later(self._follow_adapters())

    async def _follow_adapters(self) -> None:
        if self.adapters is None or self.engines is None or self.engines.status.info is None:
            return
        if (engine := self.engines.engine()) is not None:
            await self.adapters.follow(engine)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside; a task that nobody holds may be collected in mid-work."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _refusal(self, request: Request) -> Reason | None:
        settings = self.settings
        if not settings.enabled or request.language in settings.disabled_languages:
            return Reason.DISABLED
        if request.text is None:
            return Reason.UNKNOWN_DOCUMENT
        if is_larger(request.text, settings.max_file_bytes):
            return Reason.TOO_LARGE
        return Reason.BINARY if "\0" in request.text else None

    def _absent(self) -> Reason:
        if self.engines is None:
            failed = self._setup is not None and self._setup[0] in {"error", "stopped"}
        else:
            failed = self.engines.status.state == "failed"
        return Reason.ENGINE_UNAVAILABLE if failed else Reason.ENGINE_STARTING

    async def refresh(self) -> None:
        """Look whether the engine still runs and what it serves, adapters too; starts nothing,
        never raises.
        """
        if self.engines is None:
            return
        try:
            async with asyncio.timeout(REFRESH_SECONDS):
                await self.engines.refresh()
                await self._follow_adapters()
        except TimeoutError:
            _log.info("the engine did not say within %.0f s what it serves", REFRESH_SECONDS)
        except Exception:  # noqa: BLE001  # the next look may do better
            _log.exception("the engine could not be asked what it serves")

    async def watch(self) -> None:
        """Notice, for as long as this is awaited, what happens to the engine between keystrokes."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            await self.refresh()

    def _note(self, completion: Completion) -> None:
        elapsed = completion.timings.get("total_ms", 0.0)
        self._recent.append(
            Outcome(completion.reason, elapsed, completion.timings, completion.adapter)
        )
        _log.debug("%s in %.0f ms", completion.reason, elapsed)
        if completion.error is not None:
            self.trouble(f"the engine failed: {completion.error}")

    def unanswered(self, error: "EngineError") -> Completion:
        """What a request gets whose engine did not come up."""
        completion = Completion("", Reason.ENGINE_UNAVAILABLE, error=error)
        self._note(completion)
        return completion

    def accepted(self, identifier: str) -> bool:
        """The editor inserted a suggestion whole; returns whether it was one of the last ones."""
        if identifier not in self._offered:
            return False
        self._offered.remove(identifier)
        self._accepted += 1
        return True

    def trouble(self, message: str) -> None:
        """Something failed that the session survives; the log and the status say so."""
        self._last_error = message
        _log.warning("%s", message)
        self.publish()

    def setting_up(self, state: State | None, message: str = "") -> None:
        """What stands between the session and its engine; None once nothing does."""
        self._setup = (state, message) if state else None
        if state == "error":
            self._last_error = message
            _log.error("%s", message)
        self.publish()

    def publish(self) -> None:
        """Tell the editor what changed, if a user would notice it."""
        status = msgspec.structs.replace(self.status(), recent=(), accepted=0)
        lasting = msgspec.structs.replace(status.engine, retry_in=None)
        status = msgspec.structs.replace(status, engine=lasting)
        if status != self._published:
            self._published = status
            self._on_status(self.status())

    def status(self) -> Status:
        """The state of everything, as ``tenon/status`` gives it."""
        report = report_engine(self.engines.status) if self.engines else EngineReport("stopped")
        info = self.engines.status.info if self.engines else None
        adapter = self.adapters.serving if self.adapters and info else None
        state, message = self._state(report, info.model if info else "")
        return Status(
            state=state,
            message=message,
            version=__version__,
            engine=report,
            model=info.model if info else "",
            adapter=adapter,
            last_error=self._last_error,
            recent=tuple(self._recent),
            accepted=self._accepted,
        )

    def _state(self, engine: EngineReport, model: str) -> tuple[State, str]:
        if not self.settings.enabled:
            return "disabled", "Completions are switched off by `tenon.enabled`."
        if self._setup is not None and engine.state != "ready":
            return self._setup
        if engine.state == "ready":
            return "ready", f"{model} is serving."
        if engine.state == "starting":
            return "starting", "The engine is loading its model."
        if engine.state == "failed":
            return "error", engine.reason
        return "stopped", "The engine is not running; the next keystroke starts it."


def _is_without(adapter: str | None, completion: Completion) -> bool:
    """Whether the base answered in the place of an adapter that was asked for."""
    return adapter is not None and completion.adapter is None and bool(completion.model)


def report_engine(status: "EngineStatus") -> EngineReport:
    """An engine's status as the protocol reports it."""
    info = status.info
    return EngineReport(
        state=str(status.state),
        reason=status.reason,
        pid=status.pid,
        url=status.url,
        context=info.context if info else 0,
        prefill_speed=info.prefill_speed if info else 0.0,
        decode_speed=info.decode_speed if info else 0.0,
        retry_in=status.retry_in,
    )
