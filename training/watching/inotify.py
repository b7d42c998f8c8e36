"""Linux: one inotify watch for every folder that Tenon would read, and none for what it ignores.

watchdog's own recursive watch takes every folder, those of node_modules and of .git as well, and
the kernel counts them.
"""

import os
from collections.abc import Callable
from pathlib import Path

from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchDescriptor,
)

from lsp_server.store.rules import Rules
from lsp_server.store.walking import walk

from .bursts import Changed

EVENTS = Mask(
    InotifyConstants.IN_CLOSE_WRITE
    | InotifyConstants.IN_CREATE
    | InotifyConstants.IN_DELETE
    | InotifyConstants.IN_DELETE_SELF
    | InotifyConstants.IN_MOVED_FROM
    | InotifyConstants.IN_MOVED_TO
    | InotifyConstants.IN_ONLYDIR
    | InotifyConstants.IN_DONT_FOLLOW
)
"""A file is looked at when it is closed: an editor may write for seconds."""


class FolderWatches:
    """The watches below one root, which follow its folders as they come and go.

    ``changed`` hears of changes in a thread of its own, ``failed`` of a limit of the kernel that is
    reached later; at first it is raised, as an ``OSError``.
    """

    def __init__(
        self,
        root: Path,
        rules: Rules,
        changed: Callable[[Changed], None],
        failed: Callable[[OSError], None],
    ) -> None:
        self._root, self._rules = root, rules
        self._changed, self._failed = changed, failed
        self._folders: dict[WatchDescriptor, str] = {}
        self._watched: set[str] = set()
        self._inotify = InotifyFD()
        try:
            self._cover("")
        except BaseException:
            self._inotify.start()  # its thread closes what it holds
            self.stop()
            raise
        self._inotify.start()

    @property
    def count(self) -> int:
        """Folders that are watched."""
        return len(self._folders)

    def stop(self) -> None:
        """Take all watches away."""
        self._folders.clear()
        self._inotify.stop()
        self._inotify.join()

    def on_event(self, event: InotifyEvent) -> None:
        """What the kernel says of an entry of a watched folder; from here on in its thread."""
        folder = self._folders.get(event.wd)
        if folder is None:
            return
        name = os.fsdecode(event.name)
        if not name:  # the folder itself
            if event.is_delete_self and not folder:
                self._changed(Changed())
        elif event.is_directory:
            self._folder_changed(event, folder, f"{folder}{name}/")
        elif event.is_create and not self._is_linked(folder, name):
            pass  # whoever made it will write to it and close it
        elif changed := Changed.of(folder, name):
            self._changed(changed)

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        """A watched folder is gone; its own folder tells."""
        if (folder := self._folders.pop(wd, None)) is not None:
            self._watched.discard(folder)

    def on_queue_overflow(self) -> None:
        """The kernel dropped events: anything may have changed, and folders may have come."""
        self._try_to_cover("")
        self._changed(Changed())

    def _folder_changed(self, event: InotifyEvent, folder: str, path: str) -> None:
        if event.is_delete or event.is_moved_from:
            if path in self._watched:
                self._uncover(path)
                self._changed(Changed(frozenset((path,))))
        elif covered := self._try_to_cover(path):
            self._changed(Changed(frozenset((folder, *covered))))

    def _try_to_cover(self, below: str) -> list[str]:
        try:
            return self._cover(below)
        except OSError as error:
            self._failed(error)
            return []

    def _cover(self, below: str) -> list[str]:
        """Watch a folder and those in it; returns the new ones. Raises ``OSError``.

        A folder that appears between being listed and being watched is found at a second look.
        """
        new: list[str] = []
        while True:
            found: list[str] = []

            def entered(folder: str, found: list[str] = found) -> None:
                if self._watch(folder):
                    found.append(folder)

            for _ in walk(self._root, self._rules, below=below, entered=entered):
                pass
            new += found
            if not found or not below:
                return new

    def _watch(self, folder: str) -> bool:
        """Whether this one was not watched before."""
        if folder in self._watched:
            return False
        path = os.fsencode(self._root / folder)
        try:
            wd = self._inotify.add_callback(path, EVENTS, self, CallbackId(id(self)))
        except (FileNotFoundError, NotADirectoryError):  # gone again
            return False
        self._folders[wd] = folder
        self._watched.add(folder)
        return True

    def _uncover(self, below: str) -> None:
        gone = [wd for wd, folder in self._folders.items() if folder.startswith(below)]
        for wd in gone:
            self._watched.discard(self._folders.pop(wd))
        self._inotify.remove_callbacks([(wd, CallbackId(id(self))) for wd in gone])

    def _is_linked(self, folder: str, name: str) -> bool:
        """Whether a new file is a hard link, which nobody writes to and closes."""
        try:
            return (self._root / folder / name).lstat().st_nlink > 1
        except OSError:
            return False
