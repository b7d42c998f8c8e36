"""The starter that fills the middle: a base of the package index and this package's LoRA, merged.

Training cannot be shipped as a model of 100 MB, but as a LoRA over one that the index already has.
They become one file on the user's machine, once, in some seconds; :mod:`lsp_server.store.download`
says when.
"""

from importlib import resources
from pathlib import Path

import msgspec

from ..errors import CorruptModelError, ModelError
from ..prompt.formats import FORMATS
from .catalogue import CatalogueEntry, base_id, base_of
from .gguf_header import BASE_ID, FIM_FORMAT
from .integrity import checksum
from .manifest import InstalledModel
from .merging import Lora, Metadata, file_type, merge, number, text
from .transfer import Transfer, check_room

NAME = "Tenon Starter 135M"
_REMEDY = "reinstall tenon-lsp, or run `tenon models use smollm2-135m` to go on without it"


def fetch(
    entry: CatalogueEntry, base: InstalledModel, folder: Path, transfer: Transfer
) -> tuple[CatalogueEntry, Path]:
    """Merge ``entry`` into ``folder``, out of its verified base and the LoRA of this package.

    Returns the entry with the checksum of what this machine made, and the file. Raises ModelError
    and CorruptModelError for a package that is not whole, DownloadError for a disk without room,
    DownloadCancelledError, ``OSError``.
    """
    output, kind = folder / "merged.gguf", str(entry.served_type)

    def advance(done: int, total: int) -> None:
        if not done:
            check_room(folder, total)
        transfer.advance(done, total)

    with resources.as_file(resources.files(__package__).joinpath(str(entry.lora))) as path:
        lora = _lora(entry, path)
        try:
            merge(
                base.path,
                lora,
                output,
                kind,
                values=_values(entry, lora),
                advance=advance,
            )
            sha256 = checksum(output, transfer.cancelled)
        except BaseException:
            output.unlink(missing_ok=True)  # half of it is of no use, and takes room
            raise
    pinned = msgspec.structs.replace(entry, sha256=sha256, size=output.stat().st_size)
    return pinned, output


def _lora(entry: CatalogueEntry, path: Path) -> Lora:
    """The LoRA of this package, if it is whole and the one that the catalogue means."""
    if not path.is_file():
        raise ModelError(f"this installation of Tenon lacks {path.name}; {_REMEDY}")
    if checksum(path) != entry.lora_sha256:
        raise CorruptModelError(f"{path} is damaged or of another version; {_REMEDY}")
    lora = Lora.read(path)
    trained_over, version = lora.value("tenon.starter_sha256"), lora.value("tenon.recipe_version")
    if (trained_over, version) != (base_of(entry).sha256, entry.recipe_version):
        raise CorruptModelError(
            f"{path} was trained over another base or by another recipe than the catalogue says; "
            f"{_REMEDY}"
        )
    return lora


def _values(entry: CatalogueEntry, lora: Lora) -> dict[str, Metadata]:
    """What the merged file says of itself in place of its base."""
    told = {key: value for key, value in lora.metadata.items() if key.startswith("tokenizer.ggml.")}
    return told | {
        "general.name": text(NAME),
        "general.basename": text(entry.name),
        "general.finetune": text("fill-in-the-middle"),
        "general.license": text(entry.license.lower()),
        "general.file_type": number(file_type(str(entry.served_type))),
        "tenon.recipe_version": number(int(entry.recipe_version or 0)),
        "tenon.starter_sha256": text(str(base_of(entry).sha256)),
        FIM_FORMAT: text(FORMATS[entry.fim].name),
        BASE_ID: text(base_id(entry)),
    }
