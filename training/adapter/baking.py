"""An adapter that llama.cpp cannot serve beside its base (DoRA) becomes a model of its own."""

from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType
from peft import PeftModel

from lsp_server.errors import ModelError
from lsp_server.store.gguf_header import BASE_ID, GgufHeader, read_header
from lsp_server.store.merging import TYPES, Advance, Change, file_type, number, rewrite, text
from lsp_server.store.paths import replacing

from .factors import Factors, Matrix, check_mergeable, factors_of

BEST = "Q8_0"
"""For weights of a type that numpy cannot write, such as Q4_K: nothing of the adapter is lost."""


def bake(
    adapter: PeftModel | Path,
    base: Path,
    output: Path,
    *,
    kind: str | None = None,
    provenance: Mapping[str, str] | None = None,
    name: str = "default",
    advance: Advance = lambda _done, _total: None,
) -> None:
    """Write the GGUF ``base`` with the adapter in its weights, in one step.

    One weight is unpacked at a time. The changed weights become of the ggml type ``kind``, by
    default their own where numpy can write it and Q8_0 where it cannot. ``provenance`` becomes
    metadata below ``tenon.``; the base's identity is not carried over. Raises ModelError and
    CorruptModelError as :func:`~training.factors.factors_of` does.
    """
    header = read_header(base)
    factors = {e.weight: e for e in factors_of(adapter, header, check_mergeable, name=name)}
    if not factors:
        raise ModelError("the adapter changes nothing: no weight has a rank left; train it anew")
    to = kind or _kind_of(header, factors)
    changes: dict[str, Change] = {
        weight: partial(changed, entry) for weight, entry in factors.items()
    }
    values = {f"tenon.{key}": text(value) for key, value in (provenance or {}).items()}
    values["general.file_type"] = number(file_type(to))
    with replacing(output) as temporary:
        rewrite(base, temporary, changes, to, values=values, without={BASE_ID}, advance=advance)


def changed(entry: Factors, weight: Matrix) -> Matrix:
    """(outputs, inputs) with the adapter in it; DoRA's rows are of the learnt lengths."""
    merged: Matrix = weight + entry.b @ entry.a
    if entry.magnitude is None:
        return merged
    lengths: Matrix = np.linalg.norm(merged, axis=1)
    scaled: Matrix = merged * (entry.magnitude / lengths)[:, None]
    return scaled


def _kind_of(header: GgufHeader, weights: Collection[str]) -> str:
    """The type of most of the weights that change, if numpy can write it."""
    kinds = [GGMLQuantizationType(header.tensors[name].kind).name for name in weights]
    most = max(sorted(set(kinds)), key=kinds.count)
    return most if most in TYPES else BEST
