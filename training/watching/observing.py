"""Hears of changes in a repository, in the way that this system has, or by looking now and then."""

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from watchdog.events import FileOpenedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from lsp_server.store.rules import Rules
from lsp_server.store.walking import walk

from .bursts import Changed
from .polling import Poller

_LIMITS = frozenset((errno.ENOSPC, errno.EMFILE, errno.ENFILE))
WATCHES, INSTANCES = "fs.inotify.max_user_watches", "fs.inotify.max_user_instances"
RAISED = {WATCHES: 524_288, INSTANCES: 512}


class Observation(Protocol):
    """Something that watches a repository until it is stopped."""

    @property
    def count(self) -> int:
        """Folders that are watched."""

    def stop(self) -> None:
        """No more changes are told."""


Changes = Callable[[Changed], None]
Failures = Callable[[OSError], None]
Way = Callable[[Path, Rules, Changes, Failures], Observation]


def native(root: Path, rules: Rules, changed: Changes, failed: Failures) -> Observation:
    """As this system tells of changes; raises ``OSError``."""
    if sys.platform == "linux":
        from .inotify import FolderWatches  # noqa: PLC0415 - it cannot be imported elsewhere

        return FolderWatches(root, rules, changed, failed)
    return _Recursive(root, rules, changed)


def observe(
    root: Path,
    rules: Rules,
    changed: Changes,
    told: Callable[[str], None],
    *,
    way: Way = native,
    poll: Callable[[Path, Rules, Changes], Observation] = Poller,
) -> Observation:
    """Watch the repository at ``root``; ``changed`` hears of changes, in any thread.

    Where the system refuses, it is looked at now and then instead, and ``told`` hears why, and what
    can be done about it.
    """
    return _Observation(lambda: poll(root, rules, changed), changed, told).begin(way, root, rules)


class _Observation:
    """The system's way for as long as it works, then looking."""

    def __init__(
        self, looking: Callable[[], Observation], changed: Changes, told: Callable[[str], None]
    ) -> None:
        self._looking, self._changed, self._told = looking, changed, told
        self._failure: OSError | None = None
        self._of: Observation

    def begin(self, way: Way, root: Path, rules: Rules) -> "_Observation":
        try:
            self._of = way(root, rules, self._changed, self._failed)
        except OSError as error:
            self._told(what_to_do(error))
            self._of = self._looking()
        return self

    @property
    def count(self) -> int:
        return self._of.count

    def stop(self) -> None:
        self._of.stop()

    def _failed(self, error: OSError) -> None:
        """A limit was reached later: whoever watches begins again, and is told so then."""
        if self._failure is None:
            self._failure = error
            self._told(what_to_do(error))
            self._changed(Changed(rules=True))


def what_to_do(error: OSError) -> str:
    """Why changes are looked for now and then, and how that is helped."""
    if error.errno not in _LIMITS:
        why = error.strerror or str(error)
        return f"the system does not tell of changes ({why}), so Tenon looks for them now and then"
    name = WATCHES if error.errno == errno.ENOSPC else INSTANCES
    return (
        f"the system's limit {name} is reached, so Tenon looks for changes now and then instead; "
        f"raise it with `sudo sysctl {name}={RAISED[name]}` (and a line `{name}={RAISED[name]}` in "
        "/etc/sysctl.d/60-tenon.conf to keep it)"
    )


class _Recursive(FileSystemEventHandler):
    """macOS and Windows watch a tree at the cost of its root; what is ignored is left out here."""

    def __init__(self, root: Path, rules: Rules, changed: Changes) -> None:
        self._root, self._rules, self._changed = root, rules, changed
        self._observer = Observer()
        self._observer.schedule(self, str(root), recursive=True)
        self._observer.start()

    @property
    def count(self) -> int:
        return 1

    def stop(self) -> None:
        self._observer.stop()
        self._observer.join()

    def on_any_event(self, event: FileSystemEvent) -> None:
        if isinstance(event, FileOpenedEvent) or event.event_type == "closed_no_write":
            return
        for path in (event.src_path, event.dest_path):
            if path and (changed := self._meaning(os.fsdecode(path), event)):
                self._changed(changed)

    def _meaning(self, path: str, event: FileSystemEvent) -> Changed | None:
        try:
            within = Path(path).relative_to(self._root).as_posix()
        except ValueError:
            return None
        folder, _, name = within.rpartition("/")
        folder += "/" if folder else ""
        if not self._is_read(folder):
            return None
        if not event.is_directory:
            return Changed.of(folder, name)
        if event.event_type == "modified":  # something in it, which is told as well
            return None
        return Changed(frozenset((f"{within}/",))) if within != "." else Changed()

    def _is_read(self, folder: str) -> bool:
        found: list[str] = []
        for _ in walk(self._root, self._rules, below=folder, deep=False, entered=found.append):
            pass
        return bool(found)
