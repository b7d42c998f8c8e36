"""The models that Tenon can offer, as data; nothing here touches a disk but the package's own.

Source of every figure: catalogue.toml, which says where each was seen.
"""

import tomllib
from importlib import resources
from typing import Literal

import msgspec

STARTER = "smollm2-135m"
"""The model that the package index itself can deliver, so that no hub is needed to begin."""

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
    ``wheel_sha256`` and its ``member`` by ``sha256``.
    """

    name: str
    title: str
    license: str
    params: int
    fim: str
    source: Literal["wheel", "hub"] = "hub"
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
