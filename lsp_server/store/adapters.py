"""The adapters of one repository: which there are, how one appears whole, and which one serves.

``adapters/<id>/`` holds ``manifest.json``, ``adapter.gguf``, ``gate.json`` and ``peft/``.
``active.json`` names the one that serves. Every change is one rename, and changes wait for each
other across processes; whoever is killed at any line leaves the old state, and at most a temporary
folder that the next publication removes.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from filelock import FileLock

from ..errors import AdapterError, CorruptAdapterError, UnknownAdapterError, WrongBaseError
from .adapter_manifest import (
    FILE,
    AdapterFacts,
    AdapterManifest,
    StoredAdapter,
    is_adapter_id,
    located,
    new_manifest,
    read_adapter,
    write_adapter_manifest,
)
from .integrity import Fingerprint, checksum
from .paths import replace_file
from .repositories import RepositoryStore

__all__ = ["ActiveAdapter", "AdapterRegistry", "StoredAdapter"]

KEPT_REJECTED = 3
"""Rejected candidates that are kept for inspection, newest first."""
_PUBLISHING, _REMOVING = ".publishing-", ".removing-"


class _Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What ``active.json`` says; the fingerprint is of a file that was checked in full."""

    adapter_id: str
    scale: float
    fingerprint: Fingerprint | None = None


@dataclass(frozen=True, slots=True)
class ActiveAdapter:
    """The adapter that serves a repository, and at which scale."""

    adapter: StoredAdapter
    scale: float


@dataclass(frozen=True, slots=True)
class AdapterRegistry:
    """The adapters of one repository; safe between processes."""

    repository: RepositoryStore

    def all(self) -> list[StoredAdapter]:
        """Every published adapter, newest first; a folder without a readable manifest is none."""
        folder = self.repository.adapters
        if not folder.is_dir():
            return []
        found = (read_adapter(entry) for entry in folder.iterdir() if is_adapter_id(entry.name))
        known = [adapter for adapter in found if adapter is not None]
        return sorted(known, key=lambda adapter: (adapter.created, adapter.id), reverse=True)

    def read(self, adapter_id: str) -> StoredAdapter:
        """Raises UnknownAdapterError."""
        folder = self.repository.adapters / adapter_id
        adapter = read_adapter(folder) if is_adapter_id(adapter_id) else None
        if adapter is None:
            raise UnknownAdapterError(
                f"there is no adapter {adapter_id!r} of {self.repository.name}; run `tenon train`"
            )
        return adapter

    def publish(
        self, candidate: Path, facts: AdapterFacts, now: datetime | None = None
    ) -> StoredAdapter:
        """Take over a candidate's folder, which holds at least ``adapter.gguf``; activates nothing.

        The folder is copied, the copy is checked, and appears under its id in one rename;
        then the candidate is removed, and all but the last three rejected adapters. Raises
        AdapterError (no such file, disk full, a torn copy) and ``OSError``, with the candidate
        where it was.
        """
        if not (candidate / FILE).is_file():
            raise AdapterError(f"{candidate} holds no {FILE}; run `tenon train` again")
        folder = self.repository.adapters
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with self._locked():
                self._sweep()
                newest = next((adapter.created for adapter in self.all()), None)
                manifest = new_manifest(candidate / FILE, facts, now or datetime.now(UTC), newest)
                self._appear(candidate, manifest)
                self._prune()
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise AdapterError(
                f"the disk of {folder} is full, so the adapter was not published; free some room "
                f"and run `tenon train` again (what was trained is still in {candidate})"
            ) from error
        shutil.rmtree(candidate, ignore_errors=True)
        return self.read(manifest.id)

    def activate(self, adapter_id: str, scale: float) -> ActiveAdapter:
        """Have an adapter serve from now on, in one replacement of ``active.json``.

        Raises UnknownAdapterError, CorruptAdapterError, AdapterError for one that the gate
        rejected, and ``OSError``: the one that served goes on.
        """
        with self._locked():
            adapter = self.read(adapter_id)
            if adapter.verdict == "rejected":
                raise AdapterError(
                    f"the adapter {adapter_id} lost against what serves (see its gate.json in "
                    f"{adapter.path.parent}), so it is not activated; train again"
                )
            fingerprint = _checked(adapter)
            choice = _Choice(adapter_id=adapter_id, scale=scale, fingerprint=fingerprint)
            self._choose(choice)
        return ActiveAdapter(adapter, scale)

    def deactivate(self) -> None:
        """Have the base alone serve."""
        with self._locked():
            self.repository.active_json.unlink(missing_ok=True)

    def active(self, base: str) -> ActiveAdapter | None:
        """The adapter that serves over the base of that identity; None if none was activated.

        See :func:`lsp_server.store.adapter_manifest.base_identity`. Costs one ``stat`` while the
        file is unchanged, else a checksum. Raises WrongBaseError, CorruptAdapterError,
        UnknownAdapterError: the base alone can serve then.
        """
        choice = self._choice()
        if choice is None:
            return None
        adapter = self.read(choice.adapter_id)
        if adapter.base != base:
            raise WrongBaseError(
                f"the adapter {adapter.id} was trained over {adapter.base_name} "
                f"({adapter.base[:12]}), and another model serves ({base[:12]}); go back with "
                f"`tenon models use {adapter.base_name}`, or train again over this one"
            )
        _checked(adapter, choice.fingerprint)
        return ActiveAdapter(adapter, choice.scale)

    def active_id(self) -> str | None:
        """The id in ``active.json``, whatever has become of that adapter."""
        choice = self._choice()
        return choice.adapter_id if choice else None

    def rollback_candidates(self, base: str) -> list[StoredAdapter]:
        """Adapters that were promoted over this base and do not serve now, newest first."""
        serving = self.active_id()
        return [
            adapter
            for adapter in self.all()
            if adapter.verdict == "promoted" and adapter.base == base and adapter.id != serving
        ]

    def _appear(self, candidate: Path, manifest: AdapterManifest) -> None:
        """Copy a candidate and have it appear whole, all of it on the disk."""
        folder = self.repository.adapters
        staged = folder / f"{_PUBLISHING}{manifest.id}"
        try:
            shutil.copytree(candidate, staged)
            write_adapter_manifest(staged, manifest)
            _checked(located(manifest, staged))
            for path in (*staged.rglob("*"), staged):
                _sync(path)
            staged.rename(folder / manifest.id)
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise
        _sync(folder)

    def _prune(self) -> None:
        """Remove the oldest rejected adapters, never the one that serves."""
        try:
            serving = self.active_id()
        except AdapterError:
            return  # nobody knows which one that is
        rejected = [adapter for adapter in self.all() if adapter.verdict == "rejected"]
        for adapter in rejected[KEPT_REJECTED:]:
            if adapter.id != serving:
                # Renamed first: what is removed halfway must not look like an adapter.
                gone = adapter.path.parent.with_name(_REMOVING + adapter.id)
                with suppress(OSError):  # on Windows somebody may be looking at it
                    adapter.path.parent.rename(gone)
                    shutil.rmtree(gone, ignore_errors=True)

    def _sweep(self) -> None:
        """Remove what a killed publication left; the caller holds the lock, so nobody uses it."""
        for left in self.repository.adapters.iterdir():
            if left.name.startswith((_PUBLISHING, _REMOVING)):
                shutil.rmtree(left, ignore_errors=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the adapters of this repository for a change."""
        self.repository.adapters.mkdir(parents=True, exist_ok=True)
        with FileLock(self.repository.adapters / ".lock"):
            yield

    def _choice(self) -> _Choice | None:
        try:
            return msgspec.json.decode(self.repository.active_json.read_bytes(), type=_Choice)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            raise AdapterError(
                f"{self.repository.active_json} cannot be read ({error}); remove it, and the base "
                "alone serves"
            ) from error

    def _choose(self, choice: _Choice) -> None:
        replace_file(self.repository.active_json, msgspec.json.encode(choice) + b"\n")


def _checked(adapter: StoredAdapter, known: Fingerprint | None = None) -> Fingerprint:
    """The fingerprint of an adapter's file, which is the published one."""
    try:
        now = Fingerprint.of(adapter.path)
        if now == known:
            return now
        intact = now.size == adapter.size and checksum(adapter.path) == adapter.sha256
    except OSError as error:
        raise CorruptAdapterError(
            f"the file of the adapter {adapter.id} cannot be read ({error}); train again"
        ) from error
    if not intact:
        raise CorruptAdapterError(
            f"{adapter.path} is not the file that was published, so it is not served; train again"
        )
    return now


def _sync(path: Path) -> None:
    """Have the disk hold a file or a folder; Windows opens no folders."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
