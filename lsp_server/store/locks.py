"""Who trains: one run per repository and one per machine, whatever becomes of the process."""

import os
import sys
from pathlib import Path
from typing import Self

import msgspec
import psutil
from filelock import FileLock, Timeout

from ..errors import RunBusyError
from .paths import StorePaths, replace_file
from .repositories import RepositoryStore

_STARTED_WITHIN = 2.0
"""Seconds between a process's start as it was written down and as the system tells it."""


class Holder(msgspec.Struct, frozen=True):
    """Who trains ``repository`` (its name): the process, and when it ``started``, as
    :meth:`of` found it.
    """

    pid: int
    started: float
    repository: str = ""

    @classmethod
    def of(cls, pid: int, repository: str = "") -> Self:
        """The process of that number; raises ``psutil.Error``."""
        return cls(pid, _started(pid), repository)

    @property
    def is_alive(self) -> bool:
        """Whether that very process still runs."""
        try:
            return abs(_started(self.pid) - self.started) < _STARTED_WITHIN
        except psutil.Error:
            return False


def _started(pid: int) -> float:
    """When a process began, in seconds that setting the clock does not move.

    Linux tells of starts and of the boot by the clock as it is set now, so that all processes seem
    to begin anew with it; the difference stays. Windows keeps the time that it was.
    """
    if sys.platform == "win32":
        return float(psutil.Process(pid).create_time())
    booted = psutil.boot_time()  # first: psutil 6 then takes starts from this very moment
    return float(psutil.Process(pid).create_time() - booted)


class TrainLock:
    """Held by the process that trains, and free as soon as it ends.

    The system frees it with the process, however that ends; so does Python with this object, which
    is therefore to be kept. The note of who holds it is only for people.
    """

    def __init__(self, path: Path, repository: str) -> None:
        """``repository`` is the name of what is to be trained."""
        self._path = path
        self._repository = repository
        self._lock = FileLock(path)

    def acquire(self) -> None:
        """Raises RunBusyError, which says who trains what, and ``OSError``."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise RunBusyError(self._busy(self.holder())) from None
        me = Holder.of(os.getpid(), self._repository)
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

    def _busy(self, holder: Holder | None) -> str:
        """What is wrong, and what to do about it."""
        name = holder.repository if holder and holder.repository else "another repository"
        return (
            f"{name} is being trained on this machine{_process(holder)}, and only one repository "
            "is at a time; wait for it to end, or end it"
        )

    @property
    def _note(self) -> Path:
        """Beside the lock: Windows lets nobody read a locked file."""
        return self._path.with_name("train.json")


class MachineLock(TrainLock):
    """One run per machine (per store): two would take each other's time and memory."""

    def __init__(self, paths: StorePaths, repository: str) -> None:
        super().__init__(paths.train_lock, repository)


class RunLock(TrainLock):
    """One run per repository, whose runs and adapters it writes."""

    def __init__(self, repository: RepositoryStore) -> None:
        super().__init__(repository.train_lock, repository.name)

    def _busy(self, holder: Holder | None) -> str:
        return (
            f"{self._repository} is being trained already{_process(holder)}; wait for it to end, "
            "or end it"
        )


def _process(holder: Holder | None) -> str:
    return f" (process {holder.pid})" if holder else ""
