"""PEFT's adapter as the GGUF LoRA that llama.cpp serves, written in one step."""

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.quants import quantize
from peft import PeftModel

from lsp_server.errors import ModelError
from lsp_server.store.gguf_header import read_header

from .factors import Factors, check_servable, factors_of

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
    the new one. Raises as :func:`~training.factors.factors_of` does, and ModelError for DoRA, which
    llama.cpp cannot serve: see :func:`~training.baking.bake`.
    """
    header = read_header(base)
    factors = factors_of(adapter, header, check_servable, name=name)
    if not factors:
        raise ModelError("the adapter changes nothing: no weight has a rank left; train it anew")
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    try:
        _write(temporary, header.architecture, factors, provenance or {})
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)
    return output.stat().st_size


def _write(
    path: Path, architecture: str, factors: Sequence[Factors], provenance: Mapping[str, Value]
) -> None:
    with closing(GGUFWriter(path, architecture)) as writer:
        writer.add_type("adapter")
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", 0.0)  # llama.cpp: no scale beyond what B holds
        for key, value in provenance.items():
            _add(writer, f"tenon.{key}", value)
        for entry in factors:
            for side, matrix in (("lora_a", entry.a), ("lora_b", entry.b)):
                data = quantize(np.ascontiguousarray(matrix, np.float32), STORED)
                writer.add_tensor(f"{entry.weight}.{side}", data, raw_dtype=STORED)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()


def _add(writer: GGUFWriter, key: str, value: Value) -> None:
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_int64(key, value)
    elif isinstance(value, float):
        writer.add_float64(key, value)
    else:
        writer.add_string(key, value)
