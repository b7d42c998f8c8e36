"""The installation of what only training needs, in a process of its own."""

import asyncio
import contextlib
import logging
import subprocess
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence

from . import children
from .errors import TenonError
from .store.paths import StorePaths

_log = logging.getLogger(__name__)
GRACE_SECONDS = 5.0
"""What pip gets to tidy up after it was asked to end."""
LINE_BYTES = 1 << 20


class TrainingSetup:
    """Installs what training needs, once at a time; ``command`` is what is started for it.

    Cancelling a method, or :meth:`stop`, ends the installer; what it has installed by then stays.
    """

    def __init__(self, paths: StorePaths, *, command: Sequence[str] | None = None) -> None:
        self._paths = paths
        self._command = list(command or children.command("setup", "train"))
        self._process: Process | None = None
        self._alone = asyncio.Lock()

    async def look(self) -> str:
        """How much there is to download, in the installer's words.

        Raises TenonError as :meth:`install` does, and with its last word if it fails.
        """
        said: list[str] = []
        if not await self._run("--dry-run", said.append):
            raise TenonError(
                f"what training needs cannot be installed: {said[-1] if said else 'see the log'}"
            )
        return said[-1] if said else ""

    async def install(self, on_line: Callable[[str], None]) -> bool:
        """Whether it went well; ``on_line`` hears what the installer says, line by line.

        Raises TenonError if it is under way already, or cannot be started.
        """
        return await self._run("--yes", on_line)

    async def _run(self, option: str, on_line: Callable[[str], None]) -> bool:
        if self._alone.locked():
            raise TenonError("what training needs is being installed already; wait for it to end")
        async with self._alone:
            return await self._run_alone(option, on_line)

    async def _run_alone(self, option: str, on_line: Callable[[str], None]) -> bool:
        self._paths.root.mkdir(parents=True, exist_ok=True)
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                *self._command,
                option,
                cwd=self._paths.root,
                env={**children.environment(self._paths), "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                limit=LINE_BYTES,
                creationflags=children.no_window(),
            )
        except OSError as error:
            raise TenonError(f"`tenon setup train` could not be started: {error}") from error
        try:
            await _read(process, on_line)
            return await process.wait() == 0
        finally:
            self._process = None
            await children.end(process, GRACE_SECONDS)

    def stop(self) -> None:
        """End an installation that is under way."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()


async def _read(process: Process, on_line: Callable[[str], None]) -> None:
    if process.stdout is None:
        raise AssertionError("the installer was started with a pipe")
    while True:
        try:
            line = await process.stdout.readline()
        except ValueError:  # a progress bar without line ends
            continue
        if not line:
            return
        if text := line.decode("utf-8", "replace").strip():
            _log.info("setup: %s", text)
            on_line(text)
