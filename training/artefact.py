"""The starter's LoRA as a GGUF file: written by the recipe, read to resume it and to merge it."""

import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter, dequantize, quantize
from torch import Tensor

from lsp_server.errors import CorruptModelError

from .llama import LINEARS
from .lowrank import LowRank

if TYPE_CHECKING:
    from numpy.typing import NDArray

RECIPE_VERSION = 1
"""Part of the merged base's identity: to be raised when the same files must merge differently."""

FIM_TOKENS = {
    "tokenizer.ggml.fim_pre_token_id": "<issue_start>",
    "tokenizer.ggml.fim_suf_token_id": "<issue_comment>",
    "tokenizer.ggml.fim_mid_token_id": "<issue_closed>",
    "tokenizer.ggml.fim_rep_token_id": "<repo_name>",
    "tokenizer.ggml.fim_sep_token_id": "<file_sep>",
    "tokenizer.ggml.eos_token_id": "<|endoftext|>",
    "tokenizer.ggml.bos_token_id": "<|endoftext|>",
}
"""Which special token of the vocabulary serves as what; the merged GGUF says so to any client."""

STORED = GGMLQuantizationType.Q8_0
"""How the factors lie in the file: an error of 0.4 % of a difference that is itself small."""

END = "<|endoftext|>"
LEARNED_ROWS = ("<repo_name>", "<file_sep>", "<issue_start>", "<issue_comment>", "<issue_closed>")
"""Control tokens whose embedding is learnt: unused ones all had one and the same vector."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What an artefact has behind it: optimiser steps and tokens over all runs."""

    steps: int = 0
    tokens: int = 0


def save(
    path: Path,
    adapter: LowRank,
    progress: Progress,
    *,
    ids: Mapping[str, int],
    base_sha256: str,
) -> None:
    """Write the artefact in one step: a reader finds the old file or the new one.

    ``ids`` are the vocabulary's ids by text, ``base_sha256`` the starter that it was trained over.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        _write(temporary, adapter, progress, ids, base_sha256)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)  # half of it is of no use, and takes room


def _write(
    path: Path,
    adapter: LowRank,
    progress: Progress,
    ids: Mapping[str, int],
    base_sha256: str,
) -> None:
    with closing(GGUFWriter(path, "llama")) as writer:
        writer.add_type("adapter")
        writer.add_name("Tenon starter: fill-in-the-middle for SmolLM2-135M")
        writer.add_license("apache-2.0")
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", 0.0)  # llama.cpp: no scale beyond what B holds
        writer.add_uint32("tenon.recipe_version", RECIPE_VERSION)
        writer.add_string("tenon.starter_sha256", base_sha256)
        writer.add_uint64("tenon.steps", progress.steps)
        writer.add_uint64("tenon.tokens", progress.tokens)
        writer.add_array("tenon.embedding_rows", adapter.row_ids.tolist())
        for key, token in FIM_TOKENS.items():
            writer.add_uint32(key, ids[token])
        for name in LINEARS:
            for side, factor in (("lora_a", adapter.A[name]), ("lora_b", adapter.B[name])):
                for layer, matrix in enumerate(factor.detach().float().cpu().numpy()):
                    tensor = f"blk.{layer}.{name}.weight.{side}"
                    writer.add_tensor(tensor, quantize(matrix, STORED), raw_dtype=STORED)
        writer.add_tensor("token_embd.weight.rows", adapter.rows.detach().float().cpu().numpy())
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()


def load(path: Path, adapter: LowRank, base_sha256: str) -> Progress:
    """Fill ``adapter`` from an artefact; raises CorruptModelError if it fits neither it nor the
    base.
    """
    try:
        reader = GGUFReader(path)
        tensors = {tensor.name: tensor for tensor in reader.tensors}
        trained_over = str(_value(reader, "tenon.starter_sha256"))
        if trained_over != base_sha256:
            raise CorruptModelError(
                f"{path.name} was trained over another starter ({trained_over[:8]}, this one is "
                f"{base_sha256[:8]}); resume from an artefact of the same starter"
            )
        if _value(reader, "tenon.embedding_rows") != adapter.row_ids.tolist():
            raise CorruptModelError(
                f"{path.name} is no artefact of this recipe: its embedding rows belong to other "
                "tokens; give the file that an earlier run of this release wrote"
            )

        def stacked(name: str, side: str, layers: int) -> Tensor:
            found = (tensors[f"blk.{layer}.{name}.weight.{side}"] for layer in range(layers))
            matrices: list[NDArray[np.float32]] = [
                dequantize(tensor.data, tensor.tensor_type) for tensor in found
            ]
            return torch.from_numpy(np.stack(matrices))

        layers = len(adapter.A[LINEARS[0]])
        factors = {
            name: (stacked(name, "lora_a", layers), stacked(name, "lora_b", layers))
            for name in LINEARS
        }
        adapter.load(factors, torch.from_numpy(tensors["token_embd.weight.rows"].data.copy()))
        return Progress(_whole(reader, "tenon.steps"), _whole(reader, "tenon.tokens"))
    except (OSError, ValueError, LookupError, RuntimeError) as error:
        raise CorruptModelError(
            f"{path} is no artefact of this recipe with these ranks ({error}); give the file that "
            "an earlier run wrote, and the ranks in its configuration"
        ) from error


def _value(reader: GGUFReader, key: str) -> object:
    field = reader.get_field(key)
    if field is None:
        raise ValueError(f"it has no {key}")
    return field.contents()


def _whole(reader: GGUFReader, key: str) -> int:
    return int(str(_value(reader, key)))
