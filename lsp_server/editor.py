"""What the set-up needs of an editor, over LSP: a question, and a progress display."""

import asyncio
import logging
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from .protocol import SHOWS_TRAINER

_log = logging.getLogger(__name__)
ANSWER_SECONDS = 5.0
"""What an editor has to agree to a progress display before the work begins without one."""
REPORT_STEP = 0.01
"""Least part of a download between two progress reports."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A running progress display; ``report`` takes bytes done and in all, from any thread."""

    report: Callable[[int, int | None], None]
    cancelled: threading.Event


@dataclass(frozen=True, slots=True)
class Display:
    """A running progress display of any work.

    ``show`` takes a few words and the percentage done (None: unknown), from any thread.
    ``cancelled`` is set, and ``on_cancel`` was called in the event loop, once the user stops it.
    """

    show: Callable[[str, int | None], None]
    cancelled: threading.Event


class LspEditor:
    """An editor behind a language server."""

    def __init__(self, server: LanguageServer) -> None:
        self._server = server

    @property
    def shows_trainer(self) -> bool:
        """Whether the editor shows runs by itself, out of ``Status.trainer``."""
        said = self._server.client_capabilities.experimental
        return isinstance(said, Mapping) and said.get(SHOWS_TRAINER) is True

    async def choose(self, message: str, actions: Sequence[str]) -> str | None:
        """Ask the user; None if the question was closed."""
        offered = [types.MessageActionItem(action) for action in actions]
        params = types.ShowMessageRequestParams(types.MessageType.Info, message, offered)
        try:
            answer = await self._server.window_show_message_request_async(params)
        except Exception as error:  # noqa: BLE001
            _log.info("the editor could not ask: %s", error)
            return None
        return answer.title if answer else None

    @asynccontextmanager
    async def progress(self, title: str) -> AsyncIterator[Progress]:
        """Show a download as work-done progress, if the editor can; see ``bootstrap.Editor``."""
        async with self.display(title) as display:
            shown = -1.0

            def report(done: int, total: int | None) -> None:
                nonlocal shown
                part = done / total if total else 0.0
                if not total or (part - shown < REPORT_STEP and done < total):
                    return
                shown = part
                display.show(f"{done / 1e6:.0f} of {total / 1e6:.0f} MB", int(100 * part))

            yield Progress(report, display.cancelled)

    @asynccontextmanager
    async def display(
        self, title: str, on_cancel: Callable[[], None] = lambda: None
    ) -> AsyncIterator[Display]:
        """Show work that the user may stop as work-done progress, if the editor can."""
        cancelled = threading.Event()
        token = await self._progress_token()
        if token is None:
            yield Display(lambda _words, _percentage: None, cancelled)
            return
        display = self._server.work_done_progress
        loop, open_ = asyncio.get_running_loop(), True

        def stopped(_: object) -> None:
            cancelled.set()
            if open_:
                on_cancel()

        display.tokens[token].add_done_callback(stopped)
        begin = types.WorkDoneProgressBegin(title=title, cancellable=True, percentage=0)
        display.begin(token, begin)

        def tell(value: types.WorkDoneProgressReport) -> None:
            if open_:  # a word that was on its way from a thread when the work ended
                display.report(token, value)

        def show(words: str, percentage: int | None) -> None:
            value = types.WorkDoneProgressReport(message=words, percentage=percentage)
            loop.call_soon_threadsafe(tell, value)

        ending = "stopped"
        try:
            yield Display(show, cancelled)
            ending = "done"
        finally:
            open_ = False
            display.end(token, types.WorkDoneProgressEnd(message=ending))

    async def _progress_token(self) -> str | None:
        """A token that the editor agreed to; None if it shows no progress, or refuses to."""
        window = self._server.client_capabilities.window
        if window is None or not window.work_done_progress:
            return None
        token = f"tenon-{uuid.uuid4().hex}"
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._server.work_done_progress.create_async(token)
        except Exception as error:  # noqa: BLE001  # a download that nobody sees is still one
            _log.info("the editor shows no progress: %r", error)
            return None
        return token
