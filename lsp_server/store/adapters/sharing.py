"""Adapters that are passed on as a file: out of one store, checked, and into another."""

import errno
import tempfile
from pathlib import Path

import msgspec

from ...errors import AdapterError, CorruptAdapterError, WrongBaseError
from ..integrity import checksum
from ..manifest import InstalledModel
from ..models import ModelStore
from ..paths import replacing
from .archive import read_archive, write_archive
from .lora import check_lora
from .manifest import (
    FILE,
    IMPORTED,
    REJECTED,
    AdapterFacts,
    AdapterManifest,
    Part,
    StoredAdapter,
    is_adapter_id,
)
from .publishing import check_file
from .registry import AdapterRegistry

SUFFIX = ".tenon"
LARGEST_SCALE = 100.0
"""Far above what any gate chooses; beyond it a file is damaged, or made to harm."""


def export_adapter(adapter: StoredAdapter, output: Path, *, with_peft: bool = False) -> int:
    """Write an adapter as one file; returns its size in bytes.

    ``with_peft`` adds the LoRA as peft loads it. A reader of ``output`` finds the old file or
    the new one. Raises CorruptAdapterError, AdapterError if the disk is full, ``OSError``.
    """
    check_file(adapter)
    try:
        with replacing(output) as temporary:
            write_archive(adapter.path.parent, temporary, with_peft=with_peft)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise AdapterError(f"the disk of {output.parent} is full; export to another one") from error
    return output.stat().st_size


def import_adapter(registry: AdapterRegistry, models: ModelStore, file: Path) -> StoredAdapter:
    """Take in an exported adapter; it serves only once a user chooses it.

    One that is there already is returned as it is. Raises WrongBaseError, which names the base that
    is not installed, CorruptAdapterError, AdapterError, ``OSError``: nothing is published then.
    """
    with tempfile.TemporaryDirectory(prefix="tenon-import-") as scratch:
        candidate = Path(scratch) / "candidate"
        candidate.mkdir()
        try:
            manifest = read_archive(file, candidate)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise AdapterError(
                f"the disk of {scratch} is full; free some room, or set TMPDIR to another folder"
            ) from error
        _check_manifest(manifest, candidate / FILE, file)
        known = (it for it in registry.all() if it.sha256 == manifest.sha256)
        if (there := next((it for it in known if it.base == manifest.base), None)) is not None:
            return there
        rank = check_lora(candidate / FILE, models.verify(base_of(manifest, models)).path)
        facts = _facts(manifest, rank)
        registry.repository.ensure()
        return registry.publish(candidate, facts)


def base_of(adapter: AdapterManifest, models: ModelStore) -> InstalledModel:
    """The installed model that an adapter belongs to; raises WrongBaseError if there is none."""
    installed = models.installed()
    fitting = [model for model in installed if model.identity == adapter.base]
    if not fitting:
        raise WrongBaseError(
            f"the adapter {adapter.id} belongs to the model {adapter.base_name} "
            f"({adapter.base[:12]}), which is not installed; run `tenon models pull "
            f"{adapter.base_name}`, or import that very file with `tenon models import`"
        )
    return next((model for model in fitting if model.name == adapter.base_name), fitting[0])


def _check_manifest(manifest: AdapterManifest, lora: Path, file: Path) -> None:
    """Raises CorruptAdapterError if a manifest speaks of another LoRA than it came with."""
    whole = (
        is_adapter_id(manifest.id)
        and manifest.id.endswith(manifest.sha256[:8])
        and manifest.sha256 == checksum(lora)
        and manifest.size == lora.stat().st_size
        and 0.0 < abs(manifest.scale) < LARGEST_SCALE
    )
    if not whole:
        raise CorruptAdapterError(
            f"{file.name} contradicts its own manifest; have it exported again"
        )


def _facts(manifest: AdapterManifest, rank: int) -> AdapterFacts:
    """What the manifest said, as of an adapter that this machine's gate has not seen."""
    facts = {name: getattr(manifest, name) for name in AdapterFacts.__struct_fields__}
    verdict = REJECTED if manifest.lost else manifest.verdict
    itself = Part(
        adapter_id=manifest.id, repository=manifest.repository, scale=1.0, verdict=verdict
    )
    imported = {"verdict": IMPORTED, "parts": (itself,), "rank": rank, "started_from": None}
    return msgspec.convert(facts | imported, AdapterFacts)
