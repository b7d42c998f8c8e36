"""The language server of one editor: its parts, from the first message to the last."""

import asyncio
import gc
import logging
import sys
import uuid
from collections.abc import Callable, Generator
from importlib import import_module
from threading import Event
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from lsprotocol import types
from pygls.io_ import StdoutWriter, run_async
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, lsp_method

from . import __version__, protocol
from .documents import LspWorkspace
from .editor import LspEditor
from .handlers.answers import as_command, told
from .handlers.table import COMMANDS, LSP, OPTIONS, REQUESTS
from .log import ClientHandler, RecentTroubles, set_level
from .session.session import Session
from .settings import SECTION
from .stdio import stream_of
from .store.paths import StorePaths

if TYPE_CHECKING:  # imported after `initialized`: it brings the HTTP client in
    from .adapter_loading import AdapterLoader
    from .bootstrap import Bootstrap
    from .indexing import Indexer
    from .learning import Learning
    from .recording import FeedbackRecorder

_log = logging.getLogger(__name__)


class TenonProtocol(LanguageServerProtocol):
    """pygls' protocol with documents that count as LSP does, and with our own messages."""

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(
        self, params: types.InitializeParams
    ) -> Generator[Any, Any, types.InitializeResult]:
        result = yield from super().lsp_initialize(params)
        self._workspace = LspWorkspace(
            self.workspace.root_uri,
            types.TextDocumentSyncKind.Incremental,
            params.workspace_folders,
            self.workspace.position_encoding,
        )
        return result

    def _execute_handler(
        self,
        msg_id: str | int,
        handler: Any,
        callback: Callable[[Any], None],
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        """Pygls keeps a future of every handler, and lets go of those of requests alone: every
        notification, and every handler that another one yields to, would leave one for ever.
        """

        def done(future: Any) -> None:
            if not future.cancelled():  # at shutdown, by pygls, which goes through them
                self._request_futures.pop(msg_id, None)
            callback(future)

        super()._execute_handler(msg_id, handler, done, args, kwargs)

    def get_message_type(self, method: str) -> type[Any] | None:  # type: ignore[override]
        return protocol.MESSAGES.get(method) or super().get_message_type(method)


class TenonServer(LanguageServer):
    """One editor's server. What arrives goes to ``handlers/``; state lives in :class:`Session`."""

    def __init__(self, paths: StorePaths) -> None:
        super().__init__("tenon", __version__, protocol_cls=TenonProtocol)
        self.session = Session(self._send_status)
        self.bootstrap: Bootstrap | None = None
        self.learning: Learning | None = None
        self._indexer: Indexer | None = None
        self._adapters: AdapterLoader | None = None
        self._feedback: FeedbackRecorder | None = None
        self.paths = paths
        self.troubles = RecentTroubles()
        self.client_name = ""
        self._initialized = False
        self._watch: asyncio.Task[None] | None = None
        for method, handler in LSP.items():
            self.feature(method, OPTIONS.get(method))(handler)
        for method, handler in REQUESTS.items():
            self.feature(method)(told(handler))
        for name, command in COMMANDS.items():
            self.command(name)(as_command(command))

    def start_io(self, stdin: BinaryIO | None = None, stdout: BinaryIO | None = None) -> None:
        """Serve until the editor says exit, or goes away."""
        self.protocol.set_writer(StdoutWriter(stdout or sys.stdout.buffer))
        try:
            asyncio.run(self._listen((stdin or sys.stdin.buffer).fileno()))
        except (BrokenPipeError, asyncio.IncompleteReadError):
            _log.error("the editor is gone")
        except (KeyboardInterrupt, SystemExit):
            pass  # so pygls ends
        finally:
            self.shutdown()  # type: ignore[no-untyped-call]

    async def _listen(self, descriptor: int) -> None:
        reader, never = stream_of(descriptor), Event()
        await run_async(never, reader, self.protocol, _log, self.report_server_error)

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Into the log: a pop-up while somebody types helps nobody."""
        del source
        _log.error("%s: %s", type(error).__name__, error)

    async def begin(self) -> None:
        """What waits until the editor has its answer to ``initialize``."""
        self._initialized = True
        self.session.announce()  # before anything changes, or the first change would be told twice
        logging.getLogger(__package__).addHandler(ClientHandler(self))
        logging.getLogger(__package__).addHandler(self.troubles)
        await self._watch_configuration()
        await self.pull_configuration()
        module = await _late(".bootstrap")
        self.bootstrap = module.Bootstrap(self.session, LspEditor(self), self.paths)
        self.bootstrap.start()
        recording = await _late(".recording")
        self._feedback = self.session.feedback = recording.FeedbackRecorder(self.paths)
        self._feedback.enabled = self.session.settings.feedback
        self._watch = asyncio.create_task(self.session.watch())
        await self._open_folders()
        # All is imported: what stays for good is not looked through again while somebody types.
        gc.freeze()

    async def end(self) -> None:
        """Leave the shared engine to the others."""
        if self._watch is not None:
            self._watch.cancel()
        if self.learning is not None:
            await self.learning.aclose()
        if self._indexer is not None:
            await self._indexer.aclose()
        if self._adapters is not None:
            await self._adapters.aclose()
        if self.bootstrap is not None:
            await self.bootstrap.aclose()
        if self._feedback is not None:
            await self._feedback.aclose()
        self.session.close()

    async def _open_folders(self) -> None:
        """Begin to read the folders that are open, and to load what was learnt of them;
        completions do without until then.
        """
        session, workspace = self.session, cast("LspWorkspace", self.workspace)
        loading = await _late(".adapter_loading")
        loader = loading.AdapterLoader(self.paths, session.publish, session.trouble)
        self._adapters = session.adapters = loader
        indexing = await _late(".indexing")
        self._indexer = session.indexes = indexing.Indexer(
            self.paths, workspace.texts, session.trouble
        )
        learning = await _late(".learning")
        self.learning = session.trainers = learning.Learning(
            self.paths, LspEditor(self), session.publish, session.engine_changed
        )
        self.learning.configure(session.settings)
        for root in workspace.roots():
            await self.open_folder(root)
        session.engine_changed()  # it may have been ready before

    async def open_folder(self, root: str) -> None:
        """A folder was opened: its index, its adapter and its trainer are for it from now on."""
        self.session.root = self.session.root or root
        if self._adapters is not None:
            self._adapters.open(root)
        if self._indexer is not None:
            self._indexer.index_of(root)
        if self.learning is not None:
            await self.learning.open(root)

    async def close_folder(self, root: str) -> None:
        """A folder was closed: nobody learns or reads it any more, and it is not what is asked
        about.
        """
        if self.session.root == root:
            self.session.root = next(iter(cast("LspWorkspace", self.workspace).roots()), None)
            self.session.publish()
        if self._indexer is not None:
            await self._indexer.close(root)
        if self._adapters is not None:
            await self._adapters.close(root)
        if self.learning is not None:
            await self.learning.close(root)

    def configure(self, raw: object) -> None:
        """Take over settings and tell the user, once, what is wrong with them."""
        old = self.session.settings
        message = self.session.configure(raw)
        set_level(self.session.settings.log_level)
        if self.bootstrap is not None:
            self.bootstrap.reconfigure(old)
        if self.learning is not None:
            self.learning.configure(self.session.settings)
        if message:
            _log.warning("%s", message)
            self.window_show_message(types.ShowMessageParams(types.MessageType.Warning, message))

    async def pull_configuration(self) -> None:
        """Ask the editor for our section, if it can be asked."""
        workspace = self.client_capabilities.workspace
        if workspace is None or not workspace.configuration:
            return
        items = [types.ConfigurationItem(section=SECTION)]
        params = types.ConfigurationParams(items)
        try:
            answers = await self.workspace_configuration_async(params)
        except Exception as error:  # noqa: BLE001  # whatever an editor answers, we go on
            _log.warning("the editor did not tell its settings: %s", error)
            return
        if answers and answers[0] is not None:
            self.configure(answers[0])

    async def _watch_configuration(self) -> None:
        workspace = self.client_capabilities.workspace
        watch = workspace.did_change_configuration if workspace else None
        if watch is None or not watch.dynamic_registration:
            return
        registration = types.Registration(
            uuid.uuid4().hex,
            types.WORKSPACE_DID_CHANGE_CONFIGURATION,
            types.DidChangeConfigurationRegistrationOptions(section=SECTION),
        )
        try:
            await self.client_register_capability_async(types.RegistrationParams([registration]))
        except Exception as error:  # noqa: BLE001
            _log.info("the editor does not register for its settings: %s", error)

    def _send_status(self, status: protocol.Status) -> None:
        if self._initialized:  # a server keeps silent until then
            self.protocol.notify(protocol.STATUS_DID_CHANGE, status.wire())


async def _late(name: str) -> Any:
    """A module that is imported once the editor has its answer to ``initialize``."""
    return await asyncio.to_thread(import_module, name, __package__)
