"""A random Llama of a few hundred kilobytes that llama.cpp can run, its vocabulary included."""

import logging
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.quants import quantize

from lsp_server.engine.llama import Adapter, Backend, Context, Model

LAYERS, WIDTH, HEADS, KV_HEADS, INNER = 2, 64, 4, 2, 96
CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>", "<reponame>", "<file_sep>",
           "<filename>", "<gh_stars>", "<issue_start>", "<issue_comment>",
           "<issue_closed>")  # fmt: skip
MERGES = ("Ġ Ġ", "ĠĠ ĠĠ", "r e", "t u", "r n", "re tu", "retu rn", "Ġ return", "s e", "l f",
          "se lf", "d e", "de f", "i n", "Ċ ĠĠĠĠ")  # fmt: skip


def byte_characters() -> list[str]:
    """GPT-2's 256 characters for bytes, in the bytes' order."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(256, 512))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


TOKENS = (*CONTROL, *byte_characters(), *(merge.replace(" ", "") for merge in MERGES))


def write_llama(
    path: Path,
    *,
    kind: str = "F32",
    seed: int = 0,
    without: str = "",
    pre: str = "smollm",
    tokens: tuple[str, ...] = TOKENS,
) -> Path:
    """Two layers with two groups of two heads; ``without`` leaves out a tensor or a value."""
    random = np.random.default_rng(seed)
    writer = GGUFWriter(path, "llama")
    writer.add_name("Tiny")
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    if without != "head_count_kv":
        writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(100_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([3] * len(CONTROL) + [1] * (len(tokens) - len(CONTROL)))
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)

    def add(name: str, values: np.ndarray, kind: str) -> None:
        if name != without:
            of_kind = GGMLQuantizationType[kind]
            data = quantize(values.astype(np.float32), of_kind)
            writer.add_tensor(name, data, raw_dtype=of_kind)

    def matrix(name: str, rows: int, columns: int) -> None:
        # Strong enough for attention to choose, and for every layer to matter.
        add(name, random.normal(0, 1.2 / columns**0.5, (rows, columns)), kind)

    def norm(name: str) -> None:
        add(name, random.uniform(0.5, 1.5, WIDTH), "F32")

    matrix("token_embd.weight", len(tokens), WIDTH)
    for layer in range(LAYERS):
        narrow = WIDTH * KV_HEADS // HEADS
        norm(f"blk.{layer}.attn_norm.weight")
        matrix(f"blk.{layer}.attn_q.weight", WIDTH, WIDTH)
        matrix(f"blk.{layer}.attn_k.weight", narrow, WIDTH)
        matrix(f"blk.{layer}.attn_v.weight", narrow, WIDTH)
        matrix(f"blk.{layer}.attn_output.weight", WIDTH, WIDTH)
        norm(f"blk.{layer}.ffn_norm.weight")
        matrix(f"blk.{layer}.ffn_gate.weight", INNER, WIDTH)
        matrix(f"blk.{layer}.ffn_up.weight", INNER, WIDTH)
        matrix(f"blk.{layer}.ffn_down.weight", WIDTH, INNER)
    norm("output_norm.weight")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def served_logits(path: Path, tokens: list[int], adapter: Path | None = None) -> np.ndarray:
    """llama.cpp's, of every token (at most 64): (tokens, vocabulary)."""
    return composed_logits(path, tokens, *([(adapter, 1.0)] if adapter is not None else []))


def composed_logits(path: Path, tokens: list[int], *adapters: tuple[Path, float]) -> np.ndarray:
    """The same with several adapters at once, each at its scale."""
    model = Model.load(Backend(logging.getLogger("llama")), path)
    loaded = [(Adapter(model, file), scale) for file, scale in adapters]
    context = Context(model, tokens=64, sequences=1, chunk=64, threads=1)
    context.use_adapters(tuple(loaded))
    context.decode(tokens, position=0, sequence=0, every_logit=True)
    found = np.array([context.logits(index) for index in range(len(tokens))])
    context.close()
    for entry, _ in loaded:
        entry.close()
    model.close()
    return found
