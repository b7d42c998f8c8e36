"""A LoRA as Tenon ships it, over any GGUF of the llama architecture, and a tiny such GGUF."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter
from gguf.quants import quantize

LAYERS = 2
TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>", "<reponame>", "<file_sep>",
          "<filename>", "<gh_stars>", "<issue_start>", "<issue_comment>", "<issue_closed>",
          *"abcdefghijklmnopqrstu")  # fmt: skip
OVERRIDES = {"fim_pre": 8, "fim_suf": 9, "fim_mid": 10, "fim_rep": 3, "fim_sep": 5, "eos": 0,
             "bos": 0}  # fmt: skip


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_tiny_llama(
    path: Path, *, kind: str = "Q4_1", width: int = 64, inner: int = 96, seed: int = 0
) -> Path:
    """Two layers of random weights, of the starter's types."""
    matrices = dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_output"), (width, width))
    matrices |= {"ffn_gate": (inner, width), "ffn_up": (inner, width), "ffn_down": (width, inner)}
    random = np.random.default_rng(seed)
    writer = GGUFWriter(path, "llama")
    writer.add_name("Tiny")
    writer.add_license("apache-2.0")
    writer.add_context_length(2048)
    writer.add_file_type(3)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(TOKENS)
    writer.add_token_types([3] * 11 + [1] * (len(TOKENS) - 11))
    writer.add_token_merges(["a b", "c d"])
    writer.add_eos_token_id(2)

    def add(name: str, shape: tuple[int, ...], kind: str) -> None:
        kind_of = GGMLQuantizationType[kind]
        values = random.normal(0, 0.1, shape).astype(np.float32)
        writer.add_tensor(name, quantize(values, kind_of), raw_dtype=kind_of)

    add("token_embd.weight", (len(TOKENS), width), "Q8_0")
    for layer in range(LAYERS):
        add(f"blk.{layer}.attn_norm.weight", (width,), "F32")
        for name, shape in matrices.items():
            add(f"blk.{layer}.{name}.weight", shape, kind)
    add("output_norm.weight", (width,), "F32")
    return _written(writer, path)


def write_lora(
    path: Path,
    base: Path,
    *,
    seed: int = 1,
    rank: int = 8,
    strength: float = 0.03,
    row_ids: Sequence[int] = (3, 5, 8, 9, 10),
    version: int = 1,
    trained_over: str | None = None,
    exact: bool = False,
) -> Path:
    """Random, over every matrix of the layers; A is of 8 bits and B of 16, or both ``exact``."""
    random = np.random.default_rng(seed)
    writer = GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 0.0)
    writer.add_license("apache-2.0")
    writer.add_uint32("tenon.recipe_version", version)
    writer.add_string("tenon.starter_sha256", trained_over or sha256(base))
    writer.add_array("tenon.embedding_rows", list(row_ids))
    writer.add_string("tenon.corpus", "none")
    for name, token in OVERRIDES.items():
        writer.add_uint32(f"tokenizer.ggml.{name}_token_id", token)

    def add(name: str, values: np.ndarray, kind: GGMLQuantizationType) -> None:
        writer.add_tensor(name, quantize(values.astype(np.float32), kind), raw_dtype=kind)

    eight, sixteen = GGMLQuantizationType.Q8_0, GGMLQuantizationType.F16
    if exact:
        eight = sixteen = GGMLQuantizationType.F32
    for tensor in GGUFReader(base).tensors:
        width = int(tensor.shape[0])
        if re.fullmatch(r"blk\.\d+\.(attn_(q|k|v|output)|ffn_\w+)\.weight", tensor.name):
            if tensor.name.endswith("norm.weight"):
                continue
            rows = int(tensor.shape[1])
            add(f"{tensor.name}.lora_a", random.normal(0, 1, (rank, width)), eight)
            add(f"{tensor.name}.lora_b", random.normal(0, strength, (rows, rank)), sixteen)
        elif tensor.name == "token_embd.weight" and row_ids:
            add(f"{tensor.name}.rows", random.normal(0, 0.1, (len(row_ids), width)), sixteen)
    return _written(writer, path)


def _written(writer: GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
