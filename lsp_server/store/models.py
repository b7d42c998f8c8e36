"""The models on this disk: which there are, which one was chosen, and whether a file is intact."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from .. import __version__
from ..errors import CorruptModelError, DownloadCancelledError, ModelError, UnknownModelError
from .catalogue import CatalogueEntry, load_catalogue
from .gguf_header import BASE_ID, GgufHeader, read_header
from .integrity import checksum, intact
from .manifest import (
    InstalledModel,
    check_name,
    is_valid_name,
    name_from,
    read_manifest,
    write_manifest,
)
from .paths import StorePaths, replace_file
from .placing import Facts, place
from .recognition import format_name

__all__ = ["InstalledModel", "ModelStore"]


@dataclass(frozen=True, slots=True)
class ModelStore:
    """The models below one root. Safe between processes: every change is one ``os.replace``."""

    paths: StorePaths

    def installed(self) -> list[InstalledModel]:
        """Every published model, by name; a folder without a readable manifest is none."""
        if not self.paths.models.is_dir():
            return []
        folders = sorted(self.paths.models.iterdir())
        found = (read_manifest(folder) for folder in folders if is_valid_name(folder.name))
        return [model for model in found if model is not None]

    def find(self, name: str) -> InstalledModel | None:
        """The installed model of that name, if there is one."""
        return read_manifest(self.paths.models / name) if is_valid_name(name) else None

    def get(self, name: str) -> InstalledModel:
        """Raises UnknownModelError, which says what to pull or what was perhaps meant."""
        model = self.find(name)
        if model is not None:
            return model
        catalogue = load_catalogue()
        if name in catalogue:
            raise UnknownModelError(f"{name} is not installed; run `tenon models pull {name}`")
        names = list(dict.fromkeys([*(known.name for known in self.installed()), *catalogue]))
        meant = get_close_matches(name, names, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(meant)}?" if meant else "`tenon models list` shows them"
        raise UnknownModelError(f"there is no model {name!r}; {hint}")

    def chosen(self) -> str | None:
        """The name that the user chose, installed or not; None leaves it to the starter."""
        try:
            choice = msgspec.json.decode(self._choice.read_bytes(), type=dict[str, str])
        except (OSError, msgspec.DecodeError):
            return None
        return choice.get("name")

    def choose(self, name: str) -> None:
        """Raises UnknownModelError if it is not installed."""
        replace_file(self._choice, msgspec.json.encode({"name": self.get(name).name}))

    def add(self, entry: CatalogueEntry, file: Path) -> InstalledModel:
        """Publish a catalogue model from a local ``file``, which stays where it is.

        Raises CorruptModelError if size, checksum or header are not what the catalogue says.
        """
        with self.locked(entry.name):
            return self.publish(entry, file, keep=True)

    def publish(
        self,
        entry: CatalogueEntry,
        file: Path,
        *,
        keep: bool,
        hashed: bool = False,
        cancelled: Callable[[], bool] | None = None,
    ) -> InstalledModel:
        """As :meth:`add`, for a caller that holds :meth:`locked`; moves the file unless ``keep``.

        ``hashed`` is for a caller that has just read the entry's checksum off this very file.
        Raises CorruptModelError, DownloadCancelledError, ModelError (disk full), ``OSError``.
        """
        again = f"run `tenon models pull {entry.name}` again"
        size = file.stat().st_size
        if entry.size is not None and size != entry.size:
            raise CorruptModelError(
                f"{entry.name} arrived with {size:,} bytes instead of {entry.size:,}; {again}"
            )
        sha256 = str(entry.sha256) if hashed else checksum(file, cancelled)
        if sha256 != entry.sha256:
            raise CorruptModelError(
                f"{entry.name} arrived with the sha256 {sha256} instead of {entry.sha256}: it was "
                f"damaged or changed on its way; {again}"
            )
        header = read_header(file)
        facts = Facts(
            entry.name,
            entry.fim,
            entry.license,
            entry.source,
            sha256,
            base_id=_base_id(header),
            made_by=__version__ if entry.source == "merged" else None,
        )
        return place(self.paths.models, facts, header, file, keep=keep)

    def import_file(
        self, path: Path, name: str | None = None, fim: str | None = None
    ) -> InstalledModel:
        """Take in any local GGUF, by hard link where the file system allows, else by copy.

        A file that is in the catalogue keeps the catalogue's facts. Otherwise ``fim`` or the
        vocabulary tells the fill-in-the-middle format. Raises CorruptModelError,
        UnknownFormatError, and ModelError: no such file, name taken or unusable, disk full.
        """
        path = path.expanduser().resolve()
        if not path.is_file():
            raise ModelError(f"there is no file {path}; give the path of a .gguf file")
        header = read_header(path)
        sha256 = checksum(path)
        catalogue = load_catalogue()
        known = next((entry for entry in catalogue.values() if entry.sha256 == sha256), None)
        name = name or (known.name if known else name_from(path.stem))
        check_name(name)
        if name in catalogue and catalogue[name] is not known:
            raise ModelError(
                f"{path.name} is not the catalogue's {name}; import it under another --name"
            )
        chosen_format = format_name(header, path, fim, known)
        license_ = known.license if known else header.license
        with self.locked(name):
            if self.find(name) is not None:
                raise ModelError(
                    f"there is a model {name} already; run `tenon models remove {name}` first, "
                    "or give another --name"
                )
            facts = Facts(name, chosen_format, license_, "file", sha256, _base_id(header))
            return place(self.paths.models, facts, header, path, keep=True)

    def remove(self, name: str) -> None:
        """Delete a model; if it was the chosen one, none is chosen any more.

        Raises UnknownModelError if it is not installed.
        """
        model = self.get(name)
        with self.locked(name):
            if self.chosen() == name:
                self._choice.unlink(missing_ok=True)
            # The manifest first: without it the folder is no model, however far the rest gets.
            (model.path.parent / "model.json").unlink(missing_ok=True)
            # On Windows an engine that still maps the file keeps it until it ends.
            shutil.rmtree(model.path.parent, ignore_errors=True)

    def verify(self, model: InstalledModel, *, held: bool = False) -> InstalledModel:
        """Make sure that a file is the published one; returns the model as it is recorded now.

        Costs one ``stat`` while size, time and inode are unchanged, else a full checksum
        (seconds per gigabyte). ``held`` is for a caller that holds :meth:`locked`. Raises
        CorruptModelError, which says what to do.
        """
        again = f"run `tenon models pull {model.name}` again"
        if model.name not in load_catalogue():
            again = f"run `tenon models remove {model.name}` and import the file again"
        try:
            now = intact(model.path, model.size, model.sha256, model.fingerprint)
        except OSError as error:
            raise CorruptModelError(
                f"the file of {model.name} cannot be read ({error}); {again}"
            ) from error
        if now is None:
            raise CorruptModelError(
                f"the file of {model.name} ({model.path}) has changed since it was installed, so "
                f"it is not loaded; {again}"
            )
        if now == model.fingerprint:
            return model
        renewed = msgspec.structs.replace(model, fingerprint=now)
        current: InstalledModel | None = model
        # On a full or read-only disk, or while somebody holds the model (a download takes minutes),
        # nothing is written, and the file is checked again next time.
        with (
            suppress(OSError, DownloadCancelledError),
            nullcontext() if held else self.locked(model.name, lambda: True),
        ):
            current = self.find(model.name)
            if current == model:
                write_manifest(model.path.parent, renewed)
        if current is None or current == model:
            return renewed
        return self.verify(current, held=held)  # another file was published while this was hashed

    @contextmanager
    def locked(self, name: str, cancelled: Callable[[], bool] | None = None) -> Iterator[None]:
        """Hold a model for a change, across processes; waits for whoever holds it now.

        Raises ModelError for an unusable name, DownloadCancelledError while waiting.
        """
        check_name(name)
        lock_file = self.paths.models / ".locks" / f"{name}.lock"
        lock_file.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(lock_file)
        while True:
            try:
                lock.acquire(timeout=0.2)
                break
            except Timeout:
                if cancelled is not None and cancelled():
                    raise DownloadCancelledError(f"cancelled while waiting for {name}") from None
        try:
            yield
        finally:
            lock.release()

    @property
    def _choice(self) -> Path:
        return self.paths.models / "chosen.json"


def _base_id(header: GgufHeader) -> str | None:
    """What a merged file says that it was made of, wherever it came from."""
    told = header.metadata.get(BASE_ID)
    return told if isinstance(told, str) else None
