"""Keeps the indexes of an editor's folders fresh: whole folders in processes, a save in a thread.

Reading a repository is minutes of pure Python in the worst case, and would hold up every keystroke
if the server did it, even in a thread. The server reads what those processes commit. The one file
that was just saved it takes in by itself, in a thread, unless that is a large one: a process would
take longer to start.
"""

import asyncio
import contextlib
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from . import children
from .errors import SettingsError
from .store.ignore_files import IGNORE_FILE
from .store.index import RepositoryIndex
from .store.layered import LayeredIndex
from .store.paths import StorePaths
from .store.refreshing import take_in
from .store.repositories import RepositoryStore
from .store.rules import FILE_NAME, Rules

_log = logging.getLogger(__name__)
SAVE_SECONDS = 2.0
"""Before a whole folder is looked at again, for other reasons to do so to come together."""
STALE_SECONDS = 600.0
"""Files change behind an editor's back (a checkout); so often a look is worth a process."""
CHECK_SECONDS = 60.0
"""The same while somebody saves: what was checked out or removed is seen sooner."""
SAVES_AT_ONCE = 8
"""Files that wait to be taken in, each some 10 ms of pure Python; more are left to a process."""
MOST_BYTES = 100_000
"""A larger file is left to a process: Python's parser stops every other thread."""


@dataclass(slots=True)
class _Repository:
    root: str
    store: RepositoryStore
    index: LayeredIndex
    wanted: asyncio.Event = field(default_factory=asyncio.Event)
    refreshed: float = 0.0
    task: asyncio.Task[None] | None = None
    saved: set[str] = field(default_factory=set)
    """Files that wait to be taken in."""
    saving: asyncio.Task[None] | None = None


class Indexer:
    """The indexes of the folders that an editor has open.

    ``texts`` gives the open documents below a folder, by relative path, in any thread.
    ``on_trouble`` hears, in a sentence for the user, why a folder could not be indexed.
    """

    def __init__(
        self,
        paths: StorePaths,
        texts: Callable[[str], Mapping[str, str]],
        on_trouble: Callable[[str], None],
    ) -> None:
        self._paths = paths
        self._texts = texts
        self._on_trouble = on_trouble
        self._repositories: dict[str, _Repository] = {}
        self._writer = ThreadPoolExecutor(1, "tenon-index")

    def index_of(self, root: str) -> LayeredIndex | None:
        """A folder's index, which is brought up to date from now on; None of one too wide."""
        repository = self._repositories.get(root)
        if repository is None:
            if not is_repository(Path(root)):
                return None
            store = RepositoryStore.of(self._paths, Path(root))
            reading = RepositoryIndex.reading(store.index)
            index = LayeredIndex(store.root, reading, partial(self._texts, root))
            repository = _Repository(root, store, index)
            self._repositories[root] = repository
            repository.task = asyncio.create_task(self._follow(repository))
            repository.wanted.set()
        elif time.monotonic() - repository.refreshed > STALE_SECONDS:
            repository.wanted.set()
        return repository.index

    def saved(self, root: str, path: str) -> None:
        """A file was saved; ``path`` is relative to ``root``."""
        repository = self._repositories.get(root)
        if repository is None:
            return
        says_which = path.rpartition("/")[2] == IGNORE_FILE or path == FILE_NAME
        overdue = time.monotonic() - repository.refreshed > CHECK_SECONDS
        if says_which or overdue or len(repository.saved) >= SAVES_AT_ONCE:
            repository.wanted.set()
        if len(repository.saved) < SAVES_AT_ONCE:
            repository.saved.add(path)
            if repository.saving is None or repository.saving.done():
                repository.saving = asyncio.create_task(self._take_in(repository))

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
        self._writer.shutdown(wait=False, cancel_futures=True)

    async def _take_in(self, repository: _Repository) -> None:
        """Take in what was saved, one file after the other."""
        loop = asyncio.get_running_loop()
        while repository.saved:
            path = repository.saved.pop()
            if not await loop.run_in_executor(self._writer, _taken_in, repository.store, path):
                repository.wanted.set()

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
    tasks = [task for entry in repositories for task in (entry.task, entry.saving) if task]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for repository in repositories:
        repository.index.close()


def _taken_in(store: RepositoryStore, path: str) -> bool:
    """Whether a file that was saved is in the index now; else a process has to look."""
    try:
        if (store.root / path).stat().st_size > MOST_BYTES:
            return False
        return take_in(store.index, store.root, Rules.of(store.root), path)
    except (OSError, SettingsError):
        return False


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
