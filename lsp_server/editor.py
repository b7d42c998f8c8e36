"""What the set-up needs of an editor, over LSP: a question, and a progress display."""

import asyncio
import logging
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from lsprotocol import types
from pygls.lsp.server import LanguageServer

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


class LspEditor:
    """An editor behind a language server."""

    def __init__(self, server: LanguageServer) -> None:
        self._server = server

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
        cancelled = threading.Event()
        token = await self._progress_token()
        if token is None:
            yield Progress(lambda _done, _total: None, cancelled)
            return
        display = self._server.work_done_progress
        display.tokens[token].add_done_callback(lambda _: cancelled.set())
        display.begin(
            token, types.WorkDoneProgressBegin(title=title, cancellable=True, percentage=0)
        )
        loop, shown = asyncio.get_running_loop(), -1.0

        def report(done: int, total: int | None) -> None:
            nonlocal shown
            part = done / total if total else 0.0
            if not total or (part - shown < REPORT_STEP and done < total):
                return
            shown = part
            message = f"{done / 1e6:.0f} of {total / 1e6:.0f} MB"
            value = types.WorkDoneProgressReport(message=message, percentage=int(100 * part))
            loop.call_soon_threadsafe(display.report, token, value)

        ending = "stopped"
        try:
            yield Progress(report, cancelled)
            ending = "done"
        finally:
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
