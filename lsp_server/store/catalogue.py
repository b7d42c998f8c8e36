"""The models that Tenon can offer, as data; nothing here touches a disk but the package's own.

Source of every figure: catalogue.toml, which says where each was seen.
"""

import hashlib
import tomllib
from importlib import resources
from typing import Literal

import msgspec

from ..errors import ModelError

STARTER = "tenon-starter"
"""The model that the package index and this package together deliver: no hub is needed to begin."""

_TRAINABLE = frozenset({"llama", "qwen2", "qwen3", "gemma2", "gemma3", "starcoder2"})


def untrainable_reason(architecture: str | None) -> str | None:
    """Why no adapter can be trained over an architecture, or None if one can.

    The trainer reads the served GGUF through transformers, whose table knows these alone.
    """
    if architecture is None:
        return "its architecture is known only once it is installed"
    if architecture in _TRAINABLE:
        return None
    return f"transformers cannot read a GGUF of architecture {architecture} yet"


class CatalogueEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model that can be pulled.

    ``license`` is an SPDX expression or LicenseRef; ``params`` counts weights (a size class where
    ``title`` says about); ``size`` is in bytes, ``context`` in tokens, both None where no source
    showed them. ``fim`` is a name in :data:`lsp_server.prompt.formats.FORMATS`. ``architecture``
    is what the GGUF says, None if not seen. ``offered`` marks what may be recommended unasked.

    A hub file is pinned by ``sha256``, by a commit in ``revision``, or both. A wheel is pinned by
    ``wheel_sha256`` and its ``member`` by ``sha256``. A merged model is made on this machine, out
    of the entry ``base`` and the file ``lora`` in this package, which ``lora_sha256`` pins;
    ``recipe_version`` is the one of the recipe that trained it, ``served_type`` the ggml type of
    the merged layers. ``least_confidence`` is the natural-log probability below which an
    answer is not worth showing, where that was measured (``make bench-filters``).
    """

    name: str
    title: str
    license: str
    params: int
    fim: str
    source: Literal["wheel", "hub", "merged"] = "hub"
    architecture: str | None = None
    context: int | None = None
    size: int | None = None
    sha256: str | None = None
    noncommercial: bool = False
    offered: bool = False
    hub_repo: str | None = None
    hub_file: str | None = None
    revision: str = "main"
    package: str | None = None
    version: str | None = None
    wheel_sha256: str | None = None
    wheel_size: int | None = None
    member: str | None = None
    base: str | None = None
    lora: str | None = None
    lora_sha256: str | None = None
    recipe_version: int | None = None
    served_type: str | None = None
    least_confidence: float | None = None

    @property
    def arriving(self) -> str:
        """What pulling it does, for a progress display."""
        if self.source == "merged":
            return f"merging {self.title}"
        size = f" ({self.size / 1e6:,.0f} MB)" if self.size else ""
        return f"downloading {self.title}{size}"

    @property
    def untrainable_reason(self) -> str | None:
        return untrainable_reason(self.architecture)

    @property
    def trainable(self) -> bool:
        return self.untrainable_reason is None


def load_catalogue() -> dict[str, CatalogueEntry]:
    """Every model on offer by name, in the order of the file (small and well-tried first)."""
    text = resources.files(__package__).joinpath("catalogue.toml").read_text(encoding="utf-8")
    rows = tomllib.loads(text)["model"]
    entries = msgspec.convert(rows, list[CatalogueEntry])
    return {entry.name: entry for entry in entries}


def base_of(entry: CatalogueEntry) -> CatalogueEntry:
    """The model that a merged one is made of."""
    if entry.base is None:
        raise ModelError(f"{entry.name} is not merged from another model")
    return load_catalogue()[entry.base]


def base_id(entry: CatalogueEntry) -> str:
    """What a merged model was made of, as 64 hexadecimal digits; adapters belong to it.

    The sha256 of five lines of ASCII, joined by LF without one at the end: ``tenon-base``, the
    base's sha256, the LoRA's sha256, the recipe's version, the served type. The merged file's own
    checksum would not do: its last bits follow from how a machine rounds a sum.
    """
    lines = (
        "tenon-base",
        str(base_of(entry).sha256),
        str(entry.lora_sha256),
        str(entry.recipe_version),
        str(entry.served_type),
    )
    return hashlib.sha256("\n".join(lines).encode("ascii")).hexdigest()
