"""Keeps the indexes of an editor's folders fresh, each in a short process of its own.

Reading a repository is minutes of pure Python in the worst case, and would hold up every keystroke
if the server did it, even in a thread. The server only reads what those processes commit.
"""

import asyncio
import contextlib
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import children
from .store.index import RepositoryIndex
from .store.paths import StorePaths
from .store.repositories import RepositoryStore

_log = logging.getLogger(__name__)
SAVE_SECONDS = 2.0
"""After a save, for others to follow: an editor that saves all files says so one by one."""
STALE_SECONDS = 600.0
"""Files change behind an editor's back (a checkout); so often a look is worth a process."""


@dataclass(slots=True)
class _Repository:
    root: str
    index: RepositoryIndex
    wanted: asyncio.Event = field(default_factory=asyncio.Event)
    refreshed: float = 0.0
    task: asyncio.Task[None] | None = None


class Indexer:
    """The indexes of the folders that an editor has open.

    ``on_trouble`` hears, in a sentence for the user, why a folder could not be indexed.
    """

    def __init__(self, paths: StorePaths, on_trouble: Callable[[str], None]) -> None:
        self._paths = paths
        self._on_trouble = on_trouble
        self._repositories: dict[str, _Repository] = {}

    def index_of(self, root: str) -> RepositoryIndex | None:
        """A folder's index, which is brought up to date from now on; None of one too wide."""
        repository = self._repositories.get(root)
        if repository is None:
            if not is_repository(Path(root)):
                return None
            store = RepositoryStore.of(self._paths, Path(root))
            repository = _Repository(root, RepositoryIndex.reading(store.index))
            self._repositories[root] = repository
            repository.task = asyncio.create_task(self._follow(repository))
            repository.wanted.set()
        elif time.monotonic() - repository.refreshed > STALE_SECONDS:
            repository.wanted.set()
        return repository.index

    def saved(self, root: str) -> None:
        """A file below ``root`` was saved."""
        if repository := self._repositories.get(root):
            repository.wanted.set()

    async def close(self, root: str) -> None:
        """A folder was closed: end its process and give its index's file back."""
        repository = self._repositories.pop(root, None)
        if repository is not None:
            await _end([repository])

    async def aclose(self) -> None:
        """End the processes; what they have committed stays."""
        repositories = list(self._repositories.values())
        self._repositories.clear()
        await _end(repositories)

    async def _follow(self, repository: _Repository) -> None:
        told = ""
        while True:
            await repository.wanted.wait()
            if repository.refreshed:
                await asyncio.sleep(SAVE_SECONDS)
            repository.wanted.clear()
            repository.refreshed = time.monotonic()
            try:
                trouble = await self._refresh(repository.root)
            except Exception as error:  # noqa: BLE001  # else nothing would follow the next save
                trouble = repr(error)
                if trouble != told:
                    _log.exception("%s could not be indexed", repository.root)
            repository.refreshed = time.monotonic()
            if trouble and trouble != told:
                self._on_trouble(f"{repository.root} could not be indexed: {trouble}")
            told = trouble

    async def _refresh(self, root: str) -> str:
        """Run ``tenon index`` to its end; returns what went wrong."""
        try:
            self._paths.root.mkdir(parents=True, exist_ok=True)
            process = await asyncio.create_subprocess_exec(
                *children.command("index", root, "--background"),
                cwd=self._paths.root,
                env=children.environment(self._paths),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                creationflags=_quiet_flags(),
            )
        except OSError as error:
            return str(error)
        try:
            _, said = await process.communicate()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise
        text = said.decode("utf-8", "replace").strip()
        if process.returncode == 0:
            return ""
        _log.info("tenon index %s ended with %s: %s", root, process.returncode, text)
        last = text.rpartition("\n")[2].removeprefix("tenon: ")
        return last or f"the process ended with {process.returncode}"


async def _end(repositories: Sequence[_Repository]) -> None:
    tasks = [entry.task for entry in repositories if entry.task]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for repository in repositories:
        repository.index.close()


def is_repository(root: Path) -> bool:
    """Whether a folder is one that somebody works in, and not all that there is: neither the
    user's home nor a folder around it.
    """
    try:
        home = Path.home().resolve()
        return not home.is_relative_to(root.resolve())
    except (OSError, RuntimeError):  # no home, or a link that leads round
        return False


def _quiet_flags() -> int:
    """On Windows: no console window, and behind what the user does."""
    if sys.platform == "win32":
        return subprocess.CREATE_NO_WINDOW | subprocess.BELOW_NORMAL_PRIORITY_CLASS
    return 0
