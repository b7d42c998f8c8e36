"""One adapter on disk: what its manifest says, what it is called, and which base it belongs to.

Versions of Tenon share a store: a newer one's further fields are passed over, what an older one
did not write has a default, and a verdict that nobody here knows is no promotion.
"""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from ... import __version__
from ..models import ModelStore
from ..paths import replace_file

FILE, GATE, PEFT = "adapter.gguf", "gate.json", "peft"
"""The LoRA as llama.cpp loads it, the gate's report, and the LoRA as peft loads it."""
MANIFEST = "manifest.json"
PROMOTED, REJECTED, IMPORTED, COMPOSED = "promoted", "rejected", "imported", "composed"
"""Verdicts: what the gate of this machine found, or that it was not asked."""
_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")


class GateSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate found, in one line; all of it stands in ``gate.json``.

    ``gain`` is the mean fall of the newer code's NLL in nats per token against the better of base
    and current adapter, over ``spans`` spans; ``lower`` is what it lies above with 95 % confidence
    (None: unknown), ``reason`` the verdict in plain words.
    """

    gain: float
    lower: float | None
    spans: int
    reason: str


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """An adapter that another one was made of, at the ``scale`` that it has in it.

    ``adapter_id`` is its name in the store of ``repository``, where ``verdict`` was passed.
    """

    adapter_id: str
    repository: str
    scale: float
    verdict: str


class AdapterFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a run knows of its adapter.

    ``repository`` is the root folder's name, ``commit`` git's (None without), ``base`` the
    identity of the model it was trained over (:func:`base_identity`) and ``base_name`` its name in
    the store, ``fim_format`` a name in :data:`lsp_server.prompt.formats.FORMATS`, ``recipe`` every
    setting of the run, ``data_sha256`` of what was trained on, ``rank`` the LoRA's r, ``scale`` the
    factor that won on NLL, on top of alpha / r, which the file holds. ``started_from`` is the id of
    the adapter whose weights the run began with, None for one from scratch. ``verdict`` is
    :data:`PROMOTED`, :data:`REJECTED`, :data:`IMPORTED` or :data:`COMPOSED`, or a newer Tenon's.
    ``parts`` are what it was made of: several of a composed one, of an imported one itself.
    ``least_confidence`` is the natural-log probability below which its answers are not shown, None
    where the gate saw too few to say: the model's own holds then.
    """

    repository: str
    commit: str | None
    base: str
    base_name: str
    fim_format: str
    recipe: dict[str, Any]
    data_sha256: str
    rank: int
    scale: float
    verdict: str
    gate: GateSummary
    parts: tuple[Part, ...] = ()
    started_from: str | None = None
    least_confidence: float | None = None


class AdapterManifest(AdapterFacts, frozen=True, kw_only=True):
    """What ``manifest.json`` says; its folder appears whole, so it vouches for the rest.

    ``id`` is ``<utc>-<sha8>``: when it was published, and how its file's checksum begins.
    ``sha256`` and ``size`` (bytes) are ``adapter.gguf``'s, ``made_by`` Tenon's version.
    """

    id: str
    created: datetime
    sha256: str
    size: int
    made_by: str

    @property
    def lost(self) -> bool:
        """Whether a gate found it worse, here or where it comes from; it serves by force alone."""
        return REJECTED in {self.verdict, *(part.verdict for part in self.parts)}


class StoredAdapter(AdapterManifest, frozen=True, kw_only=True):
    """A manifest and where its GGUF lies.

    Serve it only as :meth:`lsp_server.store.adapters.AdapterRegistry.active` gives it.
    """

    path: Path


def base_identity(models: ModelStore, name: str, sha256: str) -> str:
    """What adapters over the model that an engine reports belong to.

    ``name`` and ``sha256`` are :class:`lsp_server.completion.engine.EngineInfo`'s. A file as it
    was published is its own sha256. A merged one (the starter) has other bytes on every machine,
    and is what it was made of: ``base_id``, which its manifest holds. "" for an engine that does
    not say which file it serves: no adapter belongs to it.
    """
    model = models.find(name)
    return model.identity if model and model.sha256 == sha256 else sha256


def is_adapter_id(name: str) -> bool:
    """Whether it may be an adapter's folder; never a path."""
    return _ID.fullmatch(name) is not None


def new_manifest(
    sha256: str, size: int, facts: AdapterFacts, now: datetime, newest: datetime | None
) -> AdapterManifest:
    """The manifest of a file of that checksum and size, which is about to be published.

    It is younger than ``newest``, whatever the clock says: the order of adapters is the order in
    which they were published.
    """
    created = now.astimezone(UTC).replace(microsecond=0)
    if newest is not None and created <= newest:
        created = newest + timedelta(seconds=1)
    return AdapterManifest(
        **_fields(facts, AdapterFacts),
        id=f"{created:%Y%m%dT%H%M%SZ}-{sha256[:8]}",
        created=created,
        sha256=sha256,
        size=size,
        made_by=__version__,
    )


def read_adapter(folder: Path) -> StoredAdapter | None:
    """The adapter in a folder; None if there is none, or its manifest cannot be read."""
    try:
        data = (folder / MANIFEST).read_bytes()
        manifest = msgspec.json.decode(data, type=AdapterManifest)
    except (OSError, msgspec.DecodeError):
        return None
    if manifest.id != folder.name:
        return None  # copied or renamed by hand: nothing else would find it again
    return located(manifest, folder)


def located(manifest: AdapterManifest, folder: Path) -> StoredAdapter:
    """The same facts with the place of the file."""
    return StoredAdapter(**_fields(manifest, AdapterManifest), path=folder / FILE)


def write_adapter_manifest(folder: Path, manifest: AdapterManifest) -> None:
    """Raises ``OSError``."""
    encoded = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    replace_file(folder / MANIFEST, encoded + b"\n")


def _fields(source: msgspec.Struct, kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {name: getattr(source, name) for name in kind.__struct_fields__}
