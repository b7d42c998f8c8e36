"""The runs that trained, or tried to: what each was given, what it said, and who runs now.

``runs/<utc>/`` holds ``train.toml`` (the settings), ``events.jsonl`` (progress, one event a line)
and ``samples.jsonl`` (what was left out, and why).
"""

import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Self

import msgspec
import psutil
from filelock import FileLock, Timeout

from ..errors import RunBusyError
from .paths import replace_file
from .repositories import RepositoryStore

KEPT_RUNS = 10
"""Runs whose folders are kept, the newest; an adapter keeps its own figures."""
_STAMP = "%Y%m%dT%H%M%SZ"
_ID = re.compile(r"\d{8}T\d{6}Z")
_STARTED_WITHIN = 5.0
"""Seconds between a process's start as it was written down and as the system tells it."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run's folder."""

    folder: Path

    @property
    def id(self) -> str:
        """When it began: ``<utc>``."""
        return self.folder.name

    @property
    def started(self) -> datetime:
        return datetime.strptime(self.id, _STAMP).replace(tzinfo=UTC)

    @property
    def settings(self) -> Path:
        return self.folder / "train.toml"

    @property
    def events(self) -> Path:
        return self.folder / "events.jsonl"

    @property
    def samples(self) -> Path:
        return self.folder / "samples.jsonl"

    @property
    def candidate(self) -> Path:
        """Where the adapter lies until it is published."""
        return self.folder / "candidate"

    @property
    def checkpoints(self) -> Path:
        """What a killed run is resumed from."""
        return self.folder / "checkpoints"

    def read_events(self) -> Iterator[dict[str, Any]]:
        """What the run said so far; a line that a kill left unfinished is passed over."""
        try:
            file = self.events.open("rb")
        except FileNotFoundError:
            return
        with file:
            for line in file:
                try:
                    event = msgspec.json.decode(line, type=dict[str, Any])
                except msgspec.DecodeError:
                    continue
                yield event


@dataclass(frozen=True, slots=True)
class RunStore:
    """The runs of one repository."""

    repository: RepositoryStore

    def begin(self, settings: bytes, now: datetime | None = None) -> Run:
        """A new run's folder with its ``train.toml``; the oldest runs are removed.

        For whoever holds the :class:`RunLock`. Raises ``OSError``.
        """
        folder = self.repository.runs
        moment = (now or datetime.now(UTC)).replace(microsecond=0)  # as the name tells it
        newest = next((run.started for run in self.all()), None)
        if newest is not None and moment <= newest:
            moment = newest + timedelta(seconds=1)  # in the same second, or the clock was set back
        run = Run(folder / f"{moment.astimezone(UTC):{_STAMP}}")
        run.folder.mkdir(parents=True, exist_ok=False)
        replace_file(run.settings, settings)
        for old in self.all()[KEPT_RUNS:]:
            shutil.rmtree(old.folder, ignore_errors=True)
        return run

    def all(self) -> list[Run]:
        """Every run, newest first."""
        folder = self.repository.runs
        if not folder.is_dir():
            return []
        names = sorted((entry.name for entry in folder.iterdir()), reverse=True)
        return [Run(folder / name) for name in names if _ID.fullmatch(name)]


class JsonLines:
    """A file of one JSON value a line, each written whole, so that a reader may follow it."""

    def __init__(self, path: Path) -> None:
        """Open for appending; raises ``OSError``."""
        self._file: IO[bytes] = path.open("a+b", buffering=0)
        if end := self._file.seek(0, os.SEEK_END):
            self._file.seek(end - 1)
            if self._file.read(1) != b"\n":  # what a kill left must not swallow the next line
                self._file.write(b"\n")

    def append(self, value: Any) -> None:
        """Write one line; raises ``OSError``."""
        self._file.write(msgspec.json.encode(value) + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._file.close()


class EventLog(JsonLines):
    """A run's ``events.jsonl``: each event with the ``time`` at which it came."""

    def tell(self, event: Mapping[str, Any]) -> None:
        """Write one event; ``time`` is in seconds since the epoch."""
        self.append({"time": round(time.time(), 3), **event})


class Holder(msgspec.Struct, frozen=True):
    """Who trains: the process, and when it began (seconds since the epoch)."""

    pid: int
    started: float

    @property
    def is_alive(self) -> bool:
        """Whether that very process still runs."""
        try:
            created = psutil.Process(self.pid).create_time()
        except psutil.Error:
            return False
        return abs(float(created) - self.started) < _STARTED_WITHIN


class RunLock:
    """One run per repository: held by the process that trains, and free as soon as it ends.

    The system frees it with the process, however that ends; so does Python with this object, which
    is therefore to be kept. The note of who holds it is only for people.
    """

    def __init__(self, repository: RepositoryStore) -> None:
        self._path = repository.train_lock
        self._name = repository.name
        self._lock = FileLock(self._path)

    def acquire(self) -> None:
        """Raises RunBusyError, which says who trains."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            holder = self.holder()
            who = f" (process {holder.pid})" if holder else ""
            raise RunBusyError(
                f"{self._name} is being trained already{who}; wait for it to end, or end it"
            ) from None
        me = Holder(os.getpid(), psutil.Process().create_time())
        try:
            replace_file(self._note, msgspec.json.encode(me))
        except BaseException:
            self._lock.release()
            raise

    def release(self) -> None:
        """Let the next run begin."""
        self._note.unlink(missing_ok=True)
        self._lock.release()

    def holder(self) -> Holder | None:
        """Who trains now, as far as can be told; never waits."""
        try:
            holder = msgspec.json.decode(self._note.read_bytes(), type=Holder)
        except (OSError, msgspec.DecodeError):
            return None
        return holder if holder.is_alive else None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.release()

    @property
    def _note(self) -> Path:
        """Beside the lock: Windows lets nobody read a locked file."""
        return self._path.with_name("train.json")
