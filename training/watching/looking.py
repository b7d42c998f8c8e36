"""Looks at what changed, and now and then at how the served adapter does on it; in the worker."""

import json
import logging
import subprocess
from pathlib import Path

import msgspec

from lsp_server import children
from lsp_server.errors import TenonError
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from lsp_server.store.trainer_state import DriftScores

from .bursts import Changed
from .scanning import is_small, scan
from .surroundings import Surroundings
from .worker import Worker

_log = logging.getLogger(__name__)
DRIFT_SECONDS = 600.0
"""Between two looks at the served adapter, at least."""
COUNTED, DRIFTED = "counted", "drifted"
"""The worker's names: how many pairs are pending, and :class:`DriftScores` or None."""


class NotLookedError(TenonError):
    """A process that looks came to nothing."""


class Looking:
    """``busy`` is whether a count is under way."""

    def __init__(self, at: Surroundings, worker: Worker) -> None:
        self._at, self._worker = at, worker
        self._store = RepositoryStore.of(at.paths, at.root)
        self.busy = False
        self._drift_from = at.clock.monotonic()
        self._drift_due = False

    def count(self, changed: Changed) -> None:
        """Look at what changed: here if that is a moment's work, else in a process apart."""
        self.busy = True
        root, store, paths = self._at.root, self._store, self._at.paths

        def work() -> int:
            if is_small(root, store, changed):
                return scan(root, store, changed)
            return int(look_apart(root, paths, "--count"))

        self._worker.submit(COUNTED, work)

    def counted(self) -> None:
        """A count is over; what it found may tell something of the adapter."""
        self.busy = False
        self._drift_due = True

    def ask_for_drift(self, now: float) -> None:
        """Have the served adapter looked at, if an engine runs, there is something new to look at,
        and the last look was long enough ago.
        """
        if not self._drift_due or now < self._drift_from or not self._at.paths.engine_json.exists():
            return
        self._drift_due, self._drift_from = False, now + DRIFT_SECONDS
        root, paths = self._at.root, self._at.paths

        def work() -> DriftScores | None:
            said = look_apart(root, paths, "--drift")
            return msgspec.convert(json.loads(said), DriftScores | None)

        self._worker.submit(DRIFTED, work)


def look_apart(root: Path, paths: StorePaths, what: str) -> str:
    """What ``tenon watch ROOT --count`` or ``--drift`` prints, in a process of its own behind what
    the user does, with its memory gone afterwards. Raises NotLookedError with what it said.
    """
    paths.root.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        children.command("watch", str(root), what),
        cwd=paths.root,
        env=children.environment(paths),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        creationflags=children.no_window(),
    )
    if done.returncode == 0:
        return done.stdout.decode()
    said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
    raise NotLookedError(said.removeprefix("tenon: ") or f"it ended with {done.returncode}")
