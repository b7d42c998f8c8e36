"""The language server: what arrives over LSP, handed on in a few lines each."""

import asyncio
import logging
import uuid
from collections.abc import Callable, Generator
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, lsp_method

from . import __version__, protocol
from .documents import LspWorkspace, path_of
from .editor import LspEditor
from .edits import Request
from .log import ClientHandler, set_level
from .session import Session
from .settings import SECTION
from .store.paths import StorePaths

if TYPE_CHECKING:  # imported after `initialized`: it brings the HTTP client in
    from .adapter_loading import AdapterLoader
    from .bootstrap import Bootstrap
    from .indexing import Indexer

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

    def get_message_type(self, method: str) -> type[Any] | None:  # type: ignore[override]
        return protocol.MESSAGES.get(method) or super().get_message_type(method)


class TenonServer(LanguageServer):
    """One editor's server. Handlers are below; state lives in :class:`Session`."""

    def __init__(self, paths: StorePaths) -> None:
        super().__init__("tenon", __version__, protocol_cls=TenonProtocol)
        self.session = Session(self._send_status)
        self.bootstrap: Bootstrap | None = None
        self._indexer: Indexer | None = None
        self._adapters: AdapterLoader | None = None
        self._paths = paths
        self._initialized = False
        self._watch: asyncio.Task[None] | None = None
        for method, handler in _HANDLERS.items():
            self.feature(method, _OPTIONS.get(method))(handler)
        for name, command in _COMMANDS.items():
            self.command(name)(command)

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Into the log: a pop-up while somebody types helps nobody."""
        del source
        _log.error("%s: %s", type(error).__name__, error)

    async def begin(self) -> None:
        """What waits until the editor has its answer to ``initialize``."""
        self._initialized = True
        logging.getLogger(__package__).addHandler(ClientHandler(self))
        await self._watch_configuration()
        await self.pull_configuration()
        module = await asyncio.to_thread(import_module, ".bootstrap", __package__)
        self.bootstrap = module.Bootstrap(self.session, LspEditor(self), self._paths)
        self.bootstrap.start()
        self._watch = asyncio.create_task(self.session.watch())
        # Told before anything changes, or the editor would hear of the first change twice.
        self._send_status(self.session.status())
        await self._open_folders()

    async def end(self) -> None:
        """Leave the shared engine to the others."""
        if self._watch is not None:
            self._watch.cancel()
        if self._indexer is not None:
            await self._indexer.aclose()
        if self._adapters is not None:
            await self._adapters.aclose()
        if self.bootstrap is not None:
            await self.bootstrap.aclose()

    async def _open_folders(self) -> None:
        """Begin to read the folders that are open, and to load what was learnt of them;
        completions do without until then.
        """
        session, roots = self.session, cast("LspWorkspace", self.workspace).roots()
        loading = await asyncio.to_thread(import_module, ".adapter_loading", __package__)
        loader = loading.AdapterLoader(self._paths, session.publish, session.trouble)
        self._adapters = session.adapters = loader
        indexing = await asyncio.to_thread(import_module, ".indexing", __package__)
        self._indexer = session.indexes = indexing.Indexer(self._paths, session.trouble)
        for root in roots:
            loader.open(root)
            self._indexer.index_of(root)
        session.engine_changed()  # it may have been ready before

    def configure(self, raw: object) -> None:
        """Take over settings and tell the user, once, what is wrong with them."""
        old = self.session.settings
        message = self.session.configure(raw)
        set_level(self.session.settings.log_level)
        if self.bootstrap is not None:
            self.bootstrap.reconfigure(old)
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


async def initialize(ls: TenonServer, params: types.InitializeParams) -> None:
    """Settings may come with the first message."""
    ls.configure(params.initialization_options)


async def initialized(ls: TenonServer, params: types.InitializedParams) -> None:
    """The editor listens: everything slow begins now."""
    del params
    await ls.begin()


async def shutdown(ls: TenonServer, params: None) -> None:
    """The editor is closing."""
    del params
    await ls.end()


async def did_change_configuration(
    ls: TenonServer, params: types.DidChangeConfigurationParams
) -> None:
    """Settings come with the message, or are to be asked for."""
    settings = params.settings
    if isinstance(settings, dict) and SECTION in settings:
        ls.configure(settings[SECTION])
    else:
        await ls.pull_configuration()


async def inline_completion(
    ls: TenonServer, params: types.InlineCompletionParams
) -> types.InlineCompletionList:
    """Answer a keystroke; an empty list with its reason in the status otherwise."""
    workspace = cast("LspWorkspace", ls.workspace)  # TenonProtocol sees to that
    document = workspace.opened(params.text_document.uri)
    request = Request(
        uri=params.text_document.uri,
        text=document.source if document else None,
        position=params.position,
        encoding=workspace.position_encoding or types.PositionEncodingKind.Utf16,
        language=(document.language_id or "") if document else "",
        path=path_of(params.text_document.uri),
        roots=workspace.roots(),
        automatic=params.context.trigger_kind is types.InlineCompletionTriggerKind.Automatic,
        selected=params.context.selected_completion_info,
    )
    suggestion, _ = await ls.session.complete(request)
    if suggestion is None:
        return types.InlineCompletionList([])
    command = types.Command("Accepted", protocol.COMPLETION_ACCEPTED, arguments=[suggestion.id])
    item = types.InlineCompletionItem(suggestion.text, range=suggestion.range, command=command)
    return types.InlineCompletionList([item])


async def did_save(ls: TenonServer, params: types.DidSaveTextDocumentParams) -> None:
    """What lies on disk has changed: the repository's index follows."""
    workspace = cast("LspWorkspace", ls.workspace)
    ls.session.saved(path_of(params.text_document.uri), workspace.roots())


async def status(ls: TenonServer, params: object) -> dict[str, Any]:
    """``tenon/status``: as the engine itself says now, not as it was at the last keystroke."""
    del params
    await ls.session.refresh()
    return ls.session.status().wire()


async def completion_accepted(ls: TenonServer, identifier: str) -> bool:
    """``tenon.completionAccepted``: whether it was one of ours."""
    return ls.session.accepted(identifier)


async def restart_engine(ls: TenonServer) -> None:
    """``tenon.restartEngine``: end this machine's engine and start it again, without waiting."""
    if ls.bootstrap is not None:
        ls.bootstrap.start(renew=True)


_HANDLERS: dict[str, Callable[..., Any]] = {
    types.INITIALIZE: initialize,
    types.INITIALIZED: initialized,
    types.SHUTDOWN: shutdown,
    types.WORKSPACE_DID_CHANGE_CONFIGURATION: did_change_configuration,
    types.TEXT_DOCUMENT_INLINE_COMPLETION: inline_completion,
    types.TEXT_DOCUMENT_DID_SAVE: did_save,
    protocol.STATUS: status,
}
_OPTIONS = {types.TEXT_DOCUMENT_INLINE_COMPLETION: types.InlineCompletionOptions()}
_COMMANDS: dict[str, Callable[..., Any]] = {
    protocol.COMPLETION_ACCEPTED: completion_accepted,
    protocol.RESTART_ENGINE: restart_engine,
}
