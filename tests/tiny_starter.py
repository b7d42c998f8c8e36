"""A starter of a few kilobytes: its base, its LoRA, and the catalogue that a package would bring.

As a module, it is a victim: ``python -m tests.tiny_starter HOME BASE LORA POINT`` pulls the starter
and dies at a point, as a process does that is killed.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from lsp_server.store import catalogue, download, merging, models, placing, starter
from lsp_server.store.catalogue import CatalogueEntry
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
from tests.loras import sha256

POINTS = ("writing", "written", "placed")


def entries(base: Path, lora: Path, *, version: int = 1) -> dict[str, CatalogueEntry]:
    """What the catalogue of a package with this LoRA holds."""
    common = {"license": "Apache-2.0", "params": 1, "architecture": "llama"}
    plain = CatalogueEntry(
        name="tiny-base",
        title="Tiny base",
        fim="plain",
        source="wheel",
        sha256=sha256(base),
        size=base.stat().st_size,
        **common,
    )
    merged = CatalogueEntry(
        name="tiny-starter",
        title="Tiny starter",
        fim="tenon-starter",
        source="merged",
        base="tiny-base",
        lora=str(lora),  # an absolute path leaves the package's folder
        lora_sha256=sha256(lora),
        recipe_version=version,
        served_type="Q5_1",
        **common,
    )
    return {plain.name: plain, merged.name: merged}


def install(
    found: dict[str, CatalogueEntry], put: Callable[[object, str, object], None] = setattr
) -> None:
    """Let the store see this catalogue, as though the package had brought it."""
    for module in (catalogue, download, models):
        put(module, "load_catalogue", lambda: found)
    put(download, "STARTER", "tiny-starter")


def main(home: str, base: str, lora: str, point: str) -> None:
    found = entries(Path(base), Path(lora))
    install(found)

    def die(*_arguments: object, **_more: object) -> None:
        os._exit(9)

    if point == "writing":
        merging._pad = lambda file, _alignment: die() if file.tell() > 20_000 else None
    elif point == "written":
        checksum = starter.checksum
        starter.checksum = lambda path, *rest: (
            die() if path.name == "merged.gguf" else checksum(path, *rest)
        )
    else:
        placing.write_manifest = die
    download.pull(ModelStore(StorePaths(Path(home))), found["tiny-starter"])


if __name__ == "__main__":
    main(*sys.argv[1:])
