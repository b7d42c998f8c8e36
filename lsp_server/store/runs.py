"""The runs that trained, or tried to: what each was given, and what it said.

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

from .paths import replace_file
from .repositories import RepositoryStore

KEPT_RUNS = 10
"""Runs whose folders are kept, the newest; an adapter keeps its own figures."""
_STAMP = "%Y%m%dT%H%M%SZ"
_ID = re.compile(r"\d{8}T\d{6}Z")


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
            yield from read_lines(file)


@dataclass(frozen=True, slots=True)
class RunStore:
    """The runs of one repository."""

    repository: RepositoryStore

    def begin(self, settings: bytes, now: datetime | None = None) -> Run:
        """A new run's folder with its ``train.toml``; the oldest runs are removed.

        For whoever holds the :class:`~lsp_server.store.locks.RunLock`. Raises ``OSError``.
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


def read_lines(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    """The objects in a file of :class:`JsonLines`; a line that holds none is passed over."""
    for line in file:
        try:
            value = msgspec.json.decode(line, type=dict[str, Any])
        except msgspec.DecodeError:
            continue
        yield value


class EventLog(JsonLines):
    """A run's ``events.jsonl``: each event with the ``time`` at which it came."""

    def tell(self, event: Mapping[str, Any]) -> None:
        """Write one event; ``time`` is in seconds since the epoch."""
        self.append({"time": round(time.time(), 3), **event})
