"""Which fill-in-the-middle format a GGUF wants: the user, the catalogue or the file says it."""

from pathlib import Path

from ..errors import UnknownFormatError
from ..prompt.formats import FORMATS, recognise
from .catalogue import CatalogueEntry
from .gguf_header import FIM_FORMAT, GgufHeader


def format_name(
    header: GgufHeader, path: Path, fim: str | None, known: CatalogueEntry | None
) -> str:
    """A name in :data:`lsp_server.prompt.formats.FORMATS`.

    ``fim`` is what the user asked for, ``known`` the catalogue's entry for the same file. Raises
    UnknownFormatError if neither says it, nor the file's metadata or vocabulary, or if the
    vocabulary lacks tokens of the format that was asked for.
    """
    vocabulary = frozenset(header.vocabulary)
    if fim is None:
        if known is not None:
            return known.fim
        told = FORMATS.get(str(header.metadata.get(FIM_FORMAT)))
        found = told or recognise(vocabulary, f"{header.name} {path.stem}")
        if found is None:
            raise UnknownFormatError(
                f"cannot tell from {path.name} how it fills in the middle; run the import again "
                f"with --fim and one of: {', '.join(FORMATS)} (plain for a model that only "
                "continues text)"
            )
        return found.name
    if fim not in FORMATS:
        raise UnknownFormatError(
            f"there is no format {fim!r}; give --fim one of: {', '.join(FORMATS)}"
        )
    missing = [token for token in FORMATS[fim].specials if token not in vocabulary]
    if missing:
        raise UnknownFormatError(
            f"{path.name} has no token {' or '.join(missing)}, so it cannot be asked in the format "
            f"{fim}; leave --fim out to let the vocabulary tell, or give --fim plain"
        )
    return fim
