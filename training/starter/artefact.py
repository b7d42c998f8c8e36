"""The starter's LoRA as a GGUF file: written by the recipe, read to resume it and to merge it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from gguf import GGMLQuantizationType, ReaderTensor, dequantize, quantize
from torch import Tensor

from lsp_server.errors import CorruptModelError
from lsp_server.store.lora_writing import lora_writer
from lsp_server.store.merging import ROWS, Lora

from .llama import LINEARS
from .lowrank import LowRank

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
    with lora_writer(path, "llama") as writer:
        writer.add_name("Tenon starter: fill-in-the-middle for SmolLM2-135M")
        writer.add_license("apache-2.0")
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
        writer.add_tensor(ROWS, adapter.rows.detach().float().cpu().numpy())


def load(path: Path, adapter: LowRank, base_sha256: str) -> Progress:
    """Fill ``adapter`` from an artefact; raises CorruptModelError if it fits neither it nor the
    base.
    """
    try:
        lora = Lora.read(path)
        _check_origin(lora, adapter, base_sha256)
        layers = range(len(adapter.A[LINEARS[0]]))
        factors = {
            name: _stacked([lora.pairs[f"blk.{layer}.{name}.weight"] for layer in layers])
            for name in LINEARS
        }
        rows = lora.rows.data.copy() if lora.rows is not None else np.zeros((0, 0))
        adapter.load(factors, torch.from_numpy(rows))
        return Progress(int(lora.value("tenon.steps")), int(lora.value("tenon.tokens")))
    except (CorruptModelError, OSError, TypeError, ValueError, LookupError, RuntimeError) as error:
        raise CorruptModelError(
            f"{path} is no artefact to go on from ({error}); give the file that an earlier run of "
            "this release wrote over the same base, and the ranks of its configuration"
        ) from error


def _check_origin(lora: Lora, adapter: LowRank, base_sha256: str) -> None:
    trained_over, version = lora.value("tenon.starter_sha256"), lora.value("tenon.recipe_version")
    if trained_over != base_sha256:
        raise ValueError(
            f"it was trained over another base, {str(trained_over)[:8]}; this one is "
            f"{base_sha256[:8]}"
        )
    if version != RECIPE_VERSION:
        raise ValueError(f"it is of version {version} of the recipe; this one is {RECIPE_VERSION}")
    if list(lora.row_ids) != adapter.row_ids.tolist():
        raise ValueError("its embedding rows belong to other tokens")


def _stacked(pairs: Sequence[tuple[ReaderTensor, ReaderTensor]]) -> tuple[Tensor, Tensor]:
    """A and B of one map, stacked over the layers."""
    down, up = (
        np.stack([dequantize(tensor.data, tensor.tensor_type) for tensor in side])
        for side in zip(*pairs, strict=True)
    )
    return torch.from_numpy(down), torch.from_numpy(up)
