"""One editor's session: documents become prompts' sources, answers become edits."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from ..completion.provider import Completion, CompletionProvider, ProviderOptions, Query
from ..completion.reasons import Reason
from ..documents import TOP, Encoding, LineStart, locate, offset_of, root_of
from ..edits import Place, Request, Suggestion, place_of
from ..protocol import State, Status
from ..settings import ServerSettings, parse
from .asking import Asking
from .explaining import Explanations
from .keys import Edit
from .offering import Offers
from .parts import Adapters, Engines, Indexes, Learners, Recorder
from .refusals import is_without, refusal
from .status import StatusBoard

if TYPE_CHECKING:  # the HTTP client is imported after the editor has its answer to `initialize`
    from ..adapter_loading import AdaptableEngine
    from ..errors import EngineError

_log = logging.getLogger(__name__)
REFRESH_SECONDS = 1.0
"""What a status may wait for the engine's own word."""
WATCH_SECONDS = 20.0
"""Between two looks at an engine that nobody asks anything."""
_ANSWERED_NOW = (Reason.SHOWN, Reason.JOINED)
"""Outcomes that prove an engine well; an answer out of the cache may be from before it failed."""


class Session:
    """Settings, provider and status of one editor; the engine and the models are handed in.

    ``root`` is the repository that was asked about last. ``on_status`` hears of every change that
    a user would notice.
    """

    def __init__(self, on_status: Callable[[Status], None]) -> None:
        self.settings = ServerSettings()
        self.engines: Engines | None = None
        self.indexes: Indexes | None = None
        self.adapters: Adapters | None = None
        self.trainers: Learners | None = None
        self.feedback: Recorder | None = None
        self.explanations = Explanations()
        self.root: str | None = None
        self._board = StatusBoard(on_status)
        self._provider = CompletionProvider()
        self._offers = Offers()
        self._asking = Asking(self._offers)
        self._tasks: set[asyncio.Task[None]] = set()
        self._was_ready = False

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
        if self.feedback is not None:
            self.feedback.enabled = settings.feedback
        self.publish()
        return parsed.message

    async def complete(self, request: Request) -> tuple[Suggestion | None, Completion]:
        """Answer a request; whatever is wrong with it becomes the completion's reason."""
        try:
            suggestion, completion = await self._complete(request)
        except asyncio.CancelledError:
            self._note(Completion("", Reason.CANCELLED), request)
            raise
        except Exception as error:  # noqa: BLE001  # an editor would pop it up before who types
            _log.exception("a completion failed")
            suggestion, completion = None, Completion("", Reason.FAILED)
            # Its name alone: some exceptions carry the text that they failed on.
            self._board.last_error = f"a completion failed: {type(error).__name__}"
            self.publish()
        self._note(completion, request)
        return suggestion, completion

    async def _complete(self, request: Request) -> tuple[Suggestion | None, Completion]:
        place = self._place(request)
        if isinstance(place, Reason):
            return None, Completion("", place)
        root = root_of(request.path, request.roots)
        self._ask_about(root)
        engine = self.engines.engine() if self.engines else None
        query = self._query(request, root, place, engine)
        completion = await self._provider.complete(query, engine, absent=self._absent())
        if self.adapters and root and engine is not None and is_without(query.adapter, completion):
            self.adapters.lost(root, engine)
        if self.engines is not None:
            self._follow(self.engines, completion)
        if not completion.text:
            return None, completion
        identifier, is_new = self._offers.identify(request.uri, completion)
        if is_new and self.feedback is not None:
            self.feedback.offered(identifier, completion, root or "", request.language)
        return place.suggestion(identifier, completion.text, completion.replace), completion

    def rests(self, request: Request) -> None:
        """A cursor has come to rest: the engine may read beforehand what stands there."""
        place = self._place(request)
        info = self.engines.status.info if self.engines else None
        engine = self.engines.engine() if self.engines and info else None  # starts none
        if engine is not None and not isinstance(place, Reason):
            root = root_of(request.path, request.roots)
            self._provider.rests(self._query(request, root, place, engine), engine)

    def _place(self, request: Request) -> Place | Reason:
        """Where a request's answer would go, or why it has none."""
        text = request.text
        if (refused := refusal(request, self.settings)) or text is None:
            return refused or Reason.UNKNOWN_DOCUMENT
        cursor = offset_of(text, request.position, request.encoding, request.near)
        return Reason.OUTSIDE if cursor is None else place_of(request, text, cursor)

    def _query(
        self, request: Request, root: str | None, place: Place, engine: "AdaptableEngine | None"
    ) -> Query:
        query = self._asking.query(request, root, place.document, self.indexes)
        if self.adapters is None or engine is None:
            return query
        share, line = self.settings.base_share, request.position.line
        return self._asking.adapted(query, root, line, self.adapters, engine, base_share=share)

    def _ask_about(self, root: str | None) -> None:
        """The status is about this repository from now on."""
        if root is not None and root != self.root:
            self.root = root
            self.publish()

    def typed(self) -> None:
        """A key was pressed in some document, of a repository or of none: whoever learns makes
        room.
        """
        if self.trainers is not None:
            self.trainers.typed()

    def edited(
        self, uri: str, text: str, edit: Edit | None, encoding: Encoding, near: LineStart = TOP
    ) -> None:
        """A document was edited, and reads ``text`` now; ``near`` is the start of a line in it."""
        self._asking.edited(uri, edit)
        self._provider.typed(uri, lambda: edit.around(text, encoding, near) if edit else None)

    def saved(self, path: str | None, roots: tuple[str, ...]) -> None:
        """A document was saved; what is known of its repository follows at once."""
        root = root_of(path, roots)
        if self.indexes is not None and root is not None:
            self.indexes.saved(root, locate(path, roots)[0])

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
        ready = self.engines is not None and self.engines.status.state == "ready"
        if ready and not self._was_ready:
            self._board.last_error = ""
        self._was_ready = ready
        self.publish()
        self._later(self.follow_adapters())

    async def follow_adapters(self, *, anew: bool = False) -> None:
        """Have the engine, if one runs, serve what is chosen on disk; ``anew``: since now."""
        if self.adapters is None or self.engines is None or self.engines.status.info is None:
            return
        if (engine := self.engines.engine()) is not None:
            await self.adapters.follow(engine, anew=anew)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside; a task that nobody holds may be collected in mid-work."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _absent(self) -> Reason:
        if self.engines is None:
            setup = self._board.setup
            failed = setup is not None and setup[0] in {"error", "stopped"}
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
                await self.follow_adapters()
        except TimeoutError:
            _log.info("the engine did not say within %.0f s what it serves", REFRESH_SECONDS)
        except Exception:  # noqa: BLE001  # the next look may do better
            _log.exception("the engine could not be asked what it serves")

    async def watch(self) -> None:
        """Notice, for as long as this is awaited, what happens to the engine between keystrokes."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            await self.refresh()

    def _note(self, completion: Completion, request: Request | None = None) -> None:
        self._board.note(completion)
        if request is not None:
            self.explanations.note(request, completion)
        elapsed = completion.timings.get("total_ms", 0.0)
        _log.debug("%s in %.0f ms", completion.reason, elapsed)
        if completion.error is not None:
            self.trouble(f"the engine failed: {completion.error}")
        elif completion.reason in _ANSWERED_NOW and self._board.last_error:
            self._board.last_error = ""
            self.publish()

    def unanswered(self, error: "EngineError") -> Completion:
        """What a request gets whose engine did not come up."""
        completion = Completion("", Reason.ENGINE_UNAVAILABLE, error=error)
        self._note(completion)
        return completion

    def accepted(self, identifier: str) -> bool:
        """The editor inserted a suggestion whole; returns whether it was one of the last ones."""
        if not self._offers.take(identifier):
            return False
        self._board.accepted += 1
        if self.feedback is not None:
            self.feedback.accepted(identifier)
        return True

    def trouble(self, message: str) -> None:
        """Something failed that the session survives; the log says so, and the status until the
        engine answers, or is ready again.
        """
        self._board.last_error = message
        _log.warning("%s", message)
        self.publish()

    def setting_up(self, state: State | None, message: str = "") -> None:
        """What stands between the session and its engine; None once nothing does."""
        self._board.setup = (state, message) if state else None
        if state is None:
            self._board.last_error = ""
        elif state == "error":
            self._board.last_error = message
            _log.error("%s", message)
        self.publish()

    def publish(self) -> None:
        """Tell the editor what changed, if a user would notice it."""
        self._board.publish(self.status)

    def announce(self) -> None:
        """Tell an editor that listens from now on how things are; changes follow."""
        self._board.announce(self.status)

    def close(self) -> None:
        """Tell the editor nothing more by itself, and ask the engine nothing more."""
        self._provider.close()
        self._board.close()

    def status(self) -> Status:
        """The state of everything, as ``tenon/status`` gives it."""
        return self._board.status(
            self.engines.status if self.engines else None,
            enabled=self.settings.enabled,
            adapter=self.adapters.serving if self.adapters else None,
            trouble=self.adapters.trouble if self.adapters else "",
            trainer=self.trainers.report_for(self.root) if self.trainers else None,
        )
