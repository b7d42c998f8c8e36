"""The adapters of one repository: which there are, how one appears whole, and which one serves.

``adapters/<id>/`` holds ``manifest.json``, ``adapter.gguf``, ``gate.json`` and ``peft/``.
``active.json`` names the one that serves. Every change is one rename, and changes wait for each
other across processes, for some seconds at most; whoever is killed at any line leaves the old
state, and at most a temporary folder that the next publication removes.
"""

import errno
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ...errors import AdapterError, SettingsError, WrongBaseError
from ..integrity import Fingerprint
from .choice import NOTHING, Choice, Served, read_choice, write_choice
from .manifest import (
    FILE,
    PROMOTED,
    AdapterFacts,
    StoredAdapter,
    new_manifest,
)
from .publishing import check_file, disappear, staged, sweep
from .retention import Retention, superfluous
from .shelf import AdapterShelf

__all__ = ["ActiveAdapter", "AdapterRegistry", "StoredAdapter"]


@dataclass(frozen=True, slots=True)
class ActiveAdapter:
    """The adapter that serves a repository, and at which scale."""

    adapter: StoredAdapter
    scale: float


@dataclass(frozen=True, slots=True)
class AdapterRegistry(AdapterShelf):
    """The adapters of one repository, and which of them serves; safe between processes."""

    def publish(
        self, candidate: Path, facts: AdapterFacts, now: datetime | None = None
    ) -> StoredAdapter:
        """Take over a candidate's folder, which holds at least ``adapter.gguf``; activates nothing.

        The folder is copied and the copy checked while others may change what they like; it appears
        under its id in one rename. Then the candidate is removed, and every adapter that
        :class:`Retention` does not keep. Raises AdapterError (no such file, disk full, a torn copy,
        somebody who holds the adapters) and ``OSError``, with the candidate where it was.
        """
        if not (candidate / FILE).is_file():
            raise AdapterError(f"{candidate} holds no {FILE}; run `tenon train` again")
        folder = self.repository.adapters
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with staged(candidate, folder) as copy, self.locked():
                sweep(folder)
                newest = next((adapter.created for adapter in self.all()), None)
                created = now or datetime.now(UTC)
                manifest = new_manifest(copy.sha256, copy.size, facts, created, newest)
                copy.appear(manifest)
                self._prune()
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise AdapterError(
                f"the disk of {folder} is full, so the adapter was not published; free some room "
                f"and try again (it is still in {candidate})"
            ) from error
        shutil.rmtree(candidate, ignore_errors=True)
        return self.read(manifest.id)

    def promote(self, adapter_id: str, scale: float) -> bool:
        """Have an adapter serve that the gate found better; returns whether it does.

        It does not while a user's own choice stands: it waits for :meth:`automatic`. Raises as
        :meth:`activate` does.
        """
        adapter = self.read(adapter_id)
        checked = check_file(adapter)  # before the lock: a run may be stopped while it reads
        with self.locked():
            current = self._choice_or_nothing()
            if current.manual:
                return False
            self._serve(current, adapter, scale, checked=checked)
        return True

    def activate(
        self, adapter_id: str, scale: float | None = None, *, force: bool = False
    ) -> ActiveAdapter:
        """Have an adapter serve from now on, whatever is promoted, until a user says otherwise.

        At its manifest's scale if none is given. Raises UnknownAdapterError, CorruptAdapterError,
        AdapterError for one that a gate rejected (unless ``force``), and ``OSError``: the one that
        served goes on.
        """
        with self.locked():
            adapter = self.read(adapter_id)
            wanted = adapter.scale if scale is None else scale
            return self._serve(self._choice_or_nothing(), adapter, wanted, manual=True, force=force)

    def deactivate(self) -> None:
        """Have the base alone serve, whatever is promoted, until a user says otherwise."""
        with self.locked():
            nobody = Served(adapter_id=None, manual=True)
            self._write(self._choice_or_nothing().followed_by(nobody))

    def forget(self) -> None:
        """Take back whatever was chosen here: what the folder belongs to chooses for it."""
        if self.repository.active_json.exists():
            with self.locked():
                self.repository.active_json.unlink(missing_ok=True)

    def automatic(self, base: str | None = None) -> ActiveAdapter | None:
        """Leave it to the gate again: what it promoted last serves, over ``base`` if that is known.

        None: it promoted none yet, and the base alone serves. Raises as :meth:`activate` does.
        """
        with self.locked():
            promoted = (entry for entry in self.all() if entry.verdict == PROMOTED)
            newest = next((entry for entry in promoted if base in {None, entry.base}), None)
            if newest is not None:
                return self._serve(self._choice_or_nothing(), newest, newest.scale)
            self.repository.active_json.unlink(missing_ok=True)
        return None

    def rollback(self, to: str | None = None, *, base: str | None = None) -> ActiveAdapter | None:
        """Have serve what served before (None: the base alone), or the adapter ``to``.

        Once more goes one further back. Whether the choice is a user's stays as it was then:
        unless it is, the next promotion takes its place. Adapters that are gone, damaged or not
        over ``base`` are passed over. Raises AdapterError if nothing served before.
        """
        with self.locked():
            current = self._choice_or_nothing()
            if to is not None:
                wanted = self.read(to)
                return self._serve(current, wanted, wanted.scale, manual=current.manual, back=True)
            adapters = {adapter.id: adapter for adapter in self.all()}
            for served in current.earlier(adapters.values()):
                if served.adapter_id is None:
                    self._write(current.back_to(served))
                    return None
                adapter = adapters.get(served.adapter_id)
                if adapter is None or base not in {None, adapter.base}:
                    continue
                with suppress(AdapterError):  # damaged
                    return self._serve(
                        current,
                        adapter,
                        served.scale,
                        manual=served.manual,
                        force=True,
                        back=True,
                    )
        raise AdapterError(
            f"the base alone serves {self.repository.name}, and nothing served before; `tenon "
            "adapters use ID` has an adapter serve"
        )

    def remove(self, adapter_id: str) -> None:
        """Delete an adapter; raises AdapterError for one that serves or is pinned."""
        with self.locked():
            adapter = self.read(adapter_id)
            if self.active_id() == adapter_id:
                raise AdapterError(
                    f"the adapter {adapter_id} serves; run `tenon adapters rollback` or `tenon "
                    "adapters use none` first"
                )
            if self.marks(adapter).pinned:
                raise AdapterError(
                    f"the adapter {adapter_id} is pinned; run `tenon adapters unpin {adapter_id}` "
                    "first"
                )
            disappear(adapter)

    def active(self, base: str) -> ActiveAdapter | None:
        """The adapter that serves over the base of that identity; None if none was activated.

        See :func:`lsp_server.store.adapters.manifest.base_identity`. Costs one ``stat`` while the
        file is unchanged, else a checksum. Raises WrongBaseError, CorruptAdapterError,
        UnknownAdapterError: the base alone can serve then.
        """
        choice = self.choice()
        if choice is None or choice.adapter_id is None:
            return None
        adapter = self.read(choice.adapter_id)
        if adapter.base != base:
            raise WrongBaseError(
                f"the adapter {adapter.id} was trained over {adapter.base_name} "
                f"({adapter.base[:12]}), and another model serves ({base[:12]}); go back with "
                f"`tenon models use {adapter.base_name}`, or train again over this one"
            )
        check_file(adapter, choice.fingerprint)
        return ActiveAdapter(adapter, choice.scale)

    def usable(self, base: str) -> ActiveAdapter | None:
        """As :meth:`active`, but None too for one of another base, and for one that is damaged."""
        try:
            return self.active(base)
        except AdapterError:
            return None

    def choice(self) -> Choice | None:
        """What ``active.json`` says; None: nothing was chosen. Raises AdapterError if damaged."""
        return read_choice(self.repository.active_json)

    def active_id(self) -> str | None:
        """The id in ``active.json``, whatever has become of that adapter."""
        choice = self.choice()
        return choice.adapter_id if choice else None

    def rollback_candidates(self, base: str) -> list[StoredAdapter]:
        """Adapters that were promoted over this base and do not serve now, newest first."""
        serving = self.active_id()
        return [
            adapter
            for adapter in self.all()
            if adapter.verdict == PROMOTED and adapter.base == base and adapter.id != serving
        ]

    def _serve(
        self,
        current: Choice,
        adapter: StoredAdapter,
        scale: float,
        *,
        manual: bool = False,
        force: bool = False,
        back: bool = False,
        checked: Fingerprint | None = None,
    ) -> ActiveAdapter:
        """Choose an adapter, whose file is checked unless it is the one that was ``checked``; the
        caller holds the lock.
        """
        if adapter.lost and not force:
            raise AdapterError(
                f"the adapter {adapter.id} lost against what served ({adapter.gate.reason}), so it "
                f"is not activated; train again, or `tenon adapters use {adapter.id} --force`"
            )
        served = Served(adapter_id=adapter.id, scale=scale, manual=manual)
        change = current.back_to if back else current.followed_by
        self._write(change(served, check_file(adapter, checked)))
        return ActiveAdapter(adapter, scale)

    def _prune(self) -> None:
        """Remove what retention does not keep, never what serves or served just before."""
        try:
            choice = self.choice() or NOTHING
            keep = Retention.of(self.repository.root).keep
        except (AdapterError, SettingsError):
            return  # nobody knows what is to be kept
        adapters = self.all()
        protected = {choice.adapter_id, *(entry.adapter_id for entry in choice.history[:1])}
        protected |= {adapter.id for adapter in adapters if self.marks(adapter).pinned}
        for adapter in superfluous(adapters, keep, protected):
            with suppress(AdapterError):  # on Windows somebody may be looking at it
                disappear(adapter)

    def _choice_or_nothing(self) -> Choice:
        """What a change follows on; a damaged file is what the change repairs."""
        try:
            return self.choice() or NOTHING
        except AdapterError:
            return NOTHING

    def _write(self, choice: Choice) -> None:
        write_choice(self.repository.active_json, choice)
