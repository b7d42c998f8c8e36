"""Where everything lies on disk, and how a file is replaced without ever being half there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs


@dataclass(frozen=True, slots=True)
class StorePaths:
    """The layout below one root; nothing is created until it is written to."""

    root: Path

    @classmethod
    def default(cls) -> "StorePaths":
        """``$TENON_HOME``, or the platform's per-user data folder."""
        override = os.environ.get("TENON_HOME")
        if override:
            return cls(Path(override).expanduser().absolute())
        return cls(platformdirs.user_data_path("tenon", appauthor=False))

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def repositories(self) -> Path:
        """A folder per repository, see :mod:`lsp_server.store.repositories`."""
        return self.root / "repos"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def feedback(self) -> Path:
        """What became of suggestions, see :mod:`lsp_server.store.feedback`."""
        return self.root / "feedback.sqlite"

    @property
    def engine_json(self) -> Path:
        """How to reach the running engine: pid, port, version."""
        return self.root / "engine.json"

    @property
    def engine_token(self) -> Path:
        """The engine's bearer token, readable by the user alone."""
        return self.root / "engine.token"

    @property
    def engine_lock(self) -> Path:
        """Held by the engine process for as long as it lives."""
        return self.root / "engine.lock"

    @property
    def launch_lock(self) -> Path:
        """Held by whoever is starting or replacing the engine."""
        return self.root / "launch.lock"

    @property
    def train_lock(self) -> Path:
        """Held by the only run that trains on this machine, see
        :class:`lsp_server.store.locks.MachineLock`.
        """
        return self.root / "train.lock"

    @property
    def typed(self) -> Path:
        """Whose time is that of the last key, see :mod:`lsp_server.store.typing_mark`."""
        return self.root / "typed"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Where to write what takes the place of ``path`` once the block ends well.

    A reader of ``path`` finds the old file or the new one; what a failed block wrote is removed.
    Raises ``OSError``.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def replace_file(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write ``data`` to ``path`` so that a reader sees the old bytes or the new, never a mix.

    Temporary file in the same folder, fsync, then ``os.replace``. Raises ``OSError`` (disk full,
    read-only folder) with the old file untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
