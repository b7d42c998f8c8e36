"""What Tenon keeps of one repository, all outside it: where its index, adapters and runs lie.

A repository is its root folder, links resolved. Two clones or worktrees are two repositories here;
``remote`` in ``repo.json`` tells that they belong together.
"""

import hashlib
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import msgspec

from .paths import StorePaths, replace_file

SLUG_LENGTH = 40
GIT_SECONDS = 5.0
"""Longer than any ``git config`` takes; a hanging network drive must not hold a run."""


class RepositoryRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What ``repo.json`` says, for people and for lists; nothing depends on it.

    ``root`` is an absolute path, ``remote`` the URL of git's ``origin`` without credentials,
    ``created`` when Tenon first kept something of the repository.
    """

    root: str
    name: str
    remote: str | None
    created: datetime


@dataclass(frozen=True, slots=True)
class RepositoryStore:
    """The folder of one repository below a store; nothing is created until it is written to.

    ``root`` is the repository's own folder, resolved; ``folder`` is ``repos/<slug>-<sha12>``, where
    the slug is the root's name for the eye, and sha12 begins the sha256 of its path.
    """

    root: Path
    folder: Path

    @classmethod
    def of(cls, paths: StorePaths, root: Path) -> "RepositoryStore":
        """The same for every spelling of a path: links, ``..`` and a relative one are resolved."""
        resolved = root.resolve()
        digest = hashlib.sha256(os.fsencode(os.path.normcase(resolved))).hexdigest()
        return cls(resolved, paths.repositories / f"{_slug(resolved.name)}-{digest[:12]}")

    @property
    def name(self) -> str:
        """What the prompt calls the repository: its root folder's name."""
        return self.root.name

    @property
    def record(self) -> Path:
        return self.folder / "repo.json"

    @property
    def index(self) -> Path:
        """The index of symbols and windows that cross-file context comes from."""
        return self.folder / "index.sqlite"

    @property
    def cache(self) -> Path:
        """What can be made again: extracted files by content hash."""
        return self.folder / "cache"

    @property
    def adapters(self) -> Path:
        return self.folder / "adapters"

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    @property
    def train_lock(self) -> Path:
        """Held by the run that trains, see :class:`lsp_server.store.locks.RunLock`."""
        return self.folder / "train.lock"

    @property
    def active_json(self) -> Path:
        """Which adapter serves, and at which scale."""
        return self.folder / "active.json"

    def read(self) -> RepositoryRecord | None:
        """What was recorded; None before :meth:`ensure`, or where it cannot be read."""
        return _read(self.record)

    def ensure(self) -> RepositoryRecord:
        """Record the repository if it is new, or if its remote has changed.

        Asks git, so it is not for an event loop. Raises ``OSError`` (disk full, read-only home).
        """
        known = self.read()
        record = RepositoryRecord(
            root=str(self.root),
            name=self.name,
            remote=remote_of(self.root),
            created=known.created if known else datetime.now(UTC),
        )
        if record != known:
            encoded = msgspec.json.format(msgspec.json.encode(record), indent=2)
            replace_file(self.record, encoded + b"\n")
        return record


def recorded_repositories(paths: StorePaths) -> Iterator[RepositoryRecord]:
    """Every repository that was recorded, by folder name."""
    if paths.repositories.is_dir():
        for folder in sorted(paths.repositories.iterdir()):
            if (record := _read(folder / "repo.json")) is not None:
                yield record


def _read(path: Path) -> RepositoryRecord | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=RepositoryRecord)
    except (OSError, msgspec.DecodeError):
        return None


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower())[:SLUG_LENGTH].strip("-") or "repository"


def remote_of(root: Path) -> str | None:
    """The URL of ``origin``; None without git, without a remote, or if git does not answer.

    Asks git, so it is not for an event loop.
    """
    command = ["git", "-C", str(root), "config", "--get", "remote.origin.url"]
    # A git hook that starts Tenon has variables that point git elsewhere.
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            check=True,
            env=env,
            stdin=subprocess.DEVNULL,
            timeout=GIT_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return _without_credentials(done.stdout.decode("utf-8", "replace").strip()) or None


def _without_credentials(url: str) -> str:
    """People put tokens into remotes; ``git@host:path`` has none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
