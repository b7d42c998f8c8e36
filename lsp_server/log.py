"""Where log records go: stderr always, the editor's log window too; stdout belongs to LSP."""

import asyncio
import logging
import sys
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lsprotocol import types

if TYPE_CHECKING:
    from pygls.lsp.server import LanguageServer

_TYPES = (
    (logging.ERROR, types.MessageType.Error),
    (logging.WARNING, types.MessageType.Warning),
    (logging.INFO, types.MessageType.Info),
)


def to_stderr() -> None:
    """Send every record to stderr. pygls' own are kept to warnings: it logs whole documents."""
    logging.basicConfig(
        stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    logging.getLogger("pygls").setLevel(logging.WARNING)
    set_level("info")


def set_level(level: str) -> None:
    """Least severe records of ours that are written."""
    logging.getLogger(__package__).setLevel(level.upper())


class ClientHandler(logging.Handler):
    """Sends records to the editor as ``window/logMessage``; made inside the server's loop."""

    def __init__(self, server: "LanguageServer") -> None:
        super().__init__()
        self._server = server
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        kind = next((kind for level, kind in _TYPES if record.levelno >= level), None)
        params = types.LogMessageParams(kind or types.MessageType.Log, record.getMessage())
        if not self._loop.is_closed():
            # A record may come from a thread, and one message must not be written into another.
            self._loop.call_soon_threadsafe(self._server.window_log_message, params)


class RecentTroubles(logging.Handler):
    """Keeps the last warnings and errors for whoever asks what went wrong, without tracebacks."""

    def __init__(self, most: int = 20) -> None:
        super().__init__(logging.WARNING)
        self.lines: deque[str] = deque(maxlen=most)

    def emit(self, record: logging.LogRecord) -> None:
        at = datetime.fromtimestamp(record.created, UTC)
        self.lines.append(f"{at:%Y-%m-%dT%H:%M:%SZ} {record.levelname} {record.getMessage()}")
