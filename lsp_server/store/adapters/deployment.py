"""A base and one of its adapters as one quantised GGUF, for a machine where nothing is learnt.

The file is a model like any other: llama.cpp runs it without Tenon, `tenon models import` takes it
in, and adapters of the base do not belong to it.
"""

import errno
import hashlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

from ...errors import AdapterError, CorruptAdapterError, CorruptModelError
from ..gguf_header import BASE_ID, FIM_FORMAT, read_header
from ..manifest import InstalledModel
from ..merging import TYPES, Advance, Lora, file_type, merge, number, text
from ..paths import replacing
from .lora import check_lora
from .manifest import StoredAdapter
from .publishing import check_file

EXACT = "Q8_0"
"""What a base becomes whose own type the ``gguf`` package reads but cannot write (K-quants)."""


def deploy(
    model: InstalledModel,
    adapter: StoredAdapter,
    scale: float,
    output: Path,
    *,
    kind: str | None = None,
    advance: Advance = lambda _done, _total: None,
) -> str:
    """Write ``model`` with ``adapter`` in it at ``scale``; returns the type of its layers.

    That is ``kind``, one of :data:`~lsp_server.store.merging.TYPES`, or the base's own. A reader of
    ``output`` finds the old file or the new one. Raises AdapterError (a type that cannot be read or
    written, a full disk), CorruptAdapterError, CorruptModelError, ``OSError``.
    """
    check_file(adapter)
    check_lora(adapter.path, model.path)
    kind = kind or own_type(model.path)
    values = {
        "general.name": text(f"{model.name} with {adapter.repository} {adapter.id}"),
        "general.file_type": number(file_type(kind)),
        "tenon.adapter_id": text(adapter.id),
        "tenon.adapter_sha256": text(adapter.sha256),
        "tenon.adapter_scale": text(f"{scale:g}"),
        FIM_FORMAT: text(adapter.fim_format),
        BASE_ID: text(_identity(model, adapter, scale)),
    }
    try:
        lora = replace(Lora.read(adapter.path), scale=scale)
        with replacing(output) as temporary:
            merge(model.path, lora, temporary, kind, values=values, advance=advance)
            read_header(temporary)
    except NotImplementedError as error:
        raise AdapterError(
            f"{model.name} holds weights of a type that can be served but not changed; choose a "
            f"variant of it in {', '.join(TYPES)}"
        ) from error
    except CorruptModelError as error:
        raise CorruptAdapterError(f"{adapter.id} does not go into {model.name}: {error}") from error
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise AdapterError(
            f"the disk of {output.parent} is full; free about {model.size / 1e6:,.0f} MB, or give "
            "a file on another disk"
        ) from error
    return kind


def own_type(path: Path) -> str:
    """The type of most of a model's layers, if it can be written, else :data:`EXACT`."""
    from gguf.constants import GGMLQuantizationType  # noqa: PLC0415 - numpy, a tenth of a second

    layers = (
        info.kind
        for name, info in read_header(path).tensors.items()
        if name.startswith("blk.") and len(info.shape) == 2
    )
    names = {int(kind): kind.name for kind in GGMLQuantizationType}
    most = [names.get(kind, "") for kind, _ in Counter(layers).most_common(1)]
    return next((name for name in most if name in TYPES), EXACT)


def _identity(model: InstalledModel, adapter: StoredAdapter, scale: float) -> str:
    """What was merged, as 64 hexadecimal digits: another model than the base, on every machine."""
    lines = ("tenon-merged", model.identity, adapter.sha256, f"{scale:g}")
    return hashlib.sha256("\n".join(lines).encode("ascii")).hexdigest()
