"""PEFT's adapter as the GGUF LoRA that llama.cpp serves, written in one step."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.quants import quantize
from peft import PeftModel

from lsp_server.errors import ModelError
from lsp_server.store.gguf_header import read_header
from lsp_server.store.lora_writing import lora_writer

from .factors import check_servable, factors_of

Value: TypeAlias = str | int | float | bool

STORED = GGMLQuantizationType.F16
"""How the factors lie in the file: half the size of F32, with an error of 0.05 % of each value."""


def export_lora(
    adapter: PeftModel | Path,
    base: Path,
    output: Path,
    *,
    provenance: Mapping[str, Value] | None = None,
    name: str = "default",
) -> int:
    """Write an adapter over the GGUF ``base`` as a GGUF LoRA; returns its size in bytes.

    ``adapter`` is a live model (whose adapter ``name`` is taken) or the folder that PEFT saved.
    ``provenance`` becomes metadata below ``tenon.``. A reader of ``output`` finds the old file or
    the new one. Raises as :func:`~training.factors.factors_of` does, ModelError for DoRA, which
    llama.cpp cannot serve (see :func:`~training.baking.bake`), and ``OSError`` (disk full).
    """
    header = read_header(base)
    factors = factors_of(adapter, header, check_servable, name=name)
    if not factors:
        raise ModelError("the adapter changes nothing: no weight has a rank left; train it anew")
    with lora_writer(output, header.architecture) as writer:
        for key, value in (provenance or {}).items():
            _add(writer, f"tenon.{key}", value)
        for entry in factors:
            for side, matrix in (("lora_a", entry.a), ("lora_b", entry.b)):
                data = quantize(np.ascontiguousarray(matrix, np.float32), STORED)
                writer.add_tensor(f"{entry.weight}.{side}", data, raw_dtype=STORED)
    return output.stat().st_size


def _add(writer: GGUFWriter, key: str, value: Value) -> None:
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_int64(key, value)
    elif isinstance(value, float):
        writer.add_float64(key, value)
    else:
        writer.add_string(key, value)
