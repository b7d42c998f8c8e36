"""Random models of every architecture that can be trained, small enough to write in a moment.

Their tensors are drawn in the GGUF's own layout, so that llama.cpp is the judge of what they mean.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter
from gguf.quants import dequantize, quantize

from tests.tiny_llama import CONTROL, MERGES, TOKENS


@dataclass(frozen=True, slots=True)
class TinyVocabulary:
    """``model`` and ``pre`` are llama.cpp's words, ``flags`` are set below ``tokenizer.ggml``."""

    tokens: Sequence[str] = TOKENS
    kinds: Sequence[int] = (*[3] * len(CONTROL), *[1] * (len(TOKENS) - len(CONTROL)))
    model: str = "gpt2"
    pre: str = "smollm"
    merges: Sequence[str] = MERGES
    scores: Sequence[float] = ()
    flags: tuple[tuple[str, bool], ...] = ()

    def write(self, writer: GGUFWriter) -> None:
        writer.add_tokenizer_model(self.model)
        writer.add_tokenizer_pre(self.pre)
        writer.add_token_list(self.tokens)
        writer.add_token_types(self.kinds)
        if self.scores:
            writer.add_token_scores(self.scores)
        else:
            writer.add_token_merges(self.merges)
        for name, value in self.flags:
            writer.add_bool(f"tokenizer.ggml.{name}", value)
        writer.add_bos_token_id(0)
        writer.add_eos_token_id(0)


SHAPES = ("llama", "qwen2", "qwen3", "gemma2", "gemma3", "starcoder2")
LAYERS = {"gemma3": 7}  # the sixth attends to everything
WIDTH, HEADS, KV_HEADS, INNER, WINDOW = 64, 4, 2, 128, 8


def head_size(architecture: str) -> int:
    """Qwen 3's and Gemma's heads are not a share of the width."""
    return 32 if architecture in {"qwen3", "gemma2", "gemma3"} else WIDTH // HEADS


def shapes(architecture: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Every tensor's name and shape, in numpy's order."""
    head = head_size(architecture)
    heads, kv_heads = HEADS * head, KV_HEADS * head
    biased = architecture == "starcoder2"

    def norm(name: str, size: int = WIDTH) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield f"{name}.weight", (size,)
        if biased:
            yield f"{name}.bias", (size,)

    def linear(
        name: str, rows: int, columns: int, *, bias: bool = biased
    ) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield f"{name}.weight", (rows, columns)
        if bias:
            yield f"{name}.bias", (rows,)

    yield "token_embd.weight", (len(TOKENS), WIDTH)
    for layer in range(LAYERS.get(architecture, 2)):
        block = f"blk.{layer}"
        yield from norm(f"{block}.attn_norm")
        bias = biased or architecture == "qwen2"
        yield from linear(f"{block}.attn_q", heads, WIDTH, bias=bias)
        yield from linear(f"{block}.attn_k", kv_heads, WIDTH, bias=bias)
        yield from linear(f"{block}.attn_v", kv_heads, WIDTH, bias=bias)
        yield from linear(f"{block}.attn_output", WIDTH, heads)
        if architecture in {"qwen3", "gemma3"}:
            yield from norm(f"{block}.attn_q_norm", head)
            yield from norm(f"{block}.attn_k_norm", head)
        yield from norm(f"{block}.ffn_norm")
        if architecture.startswith("gemma"):
            yield from norm(f"{block}.post_attention_norm")
            yield from norm(f"{block}.post_ffw_norm")
        if not biased:
            yield from linear(f"{block}.ffn_gate", INNER, WIDTH)
        yield from linear(f"{block}.ffn_up", INNER, WIDTH)
        yield from linear(f"{block}.ffn_down", WIDTH, INNER)
    yield from norm("output_norm")


def unpacked(path: Path, output: Path) -> Path:
    """The same model with every weight in 32 bits: llama.cpp then rounds no activations."""
    reader = GGUFReader(path)
    writer = GGUFWriter(output, reader.fields["general.architecture"].contents())
    for key, field in reader.fields.items():
        if key != "general.architecture" and not key.startswith("GGUF."):
            items = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
            writer.add_key_value(key, field.contents(), field.types[0], items)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, dequantize(tensor.data, tensor.tensor_type))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return output


def write_tiny(
    path: Path,
    architecture: str,
    *,
    kind: str = "F32",
    seed: int = 0,
    tied: bool = True,
    without: str = "",
    more: dict[str, str | float] | None = None,
    extra: dict[str, tuple[int, ...]] | None = None,
    vocabulary: TinyVocabulary = TinyVocabulary(),
    base_id: str = "",
) -> Path:
    """``more`` is further metadata below the architecture's name, ``extra`` further tensors."""
    random = np.random.default_rng(seed)
    writer = GGUFWriter(path, architecture)
    _add_sizes(writer, architecture)
    for key, value in (more or {}).items():
        add = writer.add_string if isinstance(value, str) else writer.add_float32
        add(f"{architecture}.{key}", value)
    if base_id:
        writer.add_string("tenon.base_id", base_id)
    vocabulary.write(writer)
    tensors = dict(shapes(architecture)) | (extra or {})
    tensors["token_embd.weight"] = (len(vocabulary.tokens), WIDTH)
    if not tied:
        tensors["output.weight"] = tensors["token_embd.weight"]
    for name, shape in tensors.items():
        values = _values(name, shape, random)
        if name != without:
            of_kind = GGMLQuantizationType[kind if len(shape) > 1 else "F32"]
            data = quantize(values.astype(np.float32), of_kind)
            writer.add_tensor(name, data, raw_dtype=of_kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_sizes(writer: GGUFWriter, architecture: str) -> None:
    writer.add_name("Tiny")
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS.get(architecture, 2))
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_key_length(head_size(architecture))
    writer.add_value_length(head_size(architecture))
    writer.add_rope_freq_base(100_000.0)
    if architecture == "starcoder2":
        writer.add_layer_norm_eps(1e-5)
    else:
        writer.add_layer_norm_rms_eps(1e-5)
    if architecture.startswith("gemma"):
        writer.add_sliding_window(WINDOW)
    if architecture == "gemma2":
        writer.add_attn_logit_softcapping(3.0)
        writer.add_final_logit_softcapping(2.0)


def _values(name: str, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    if name == "rope_freqs.weight":
        return random.uniform(1, 8, shape)
    if "norm" in name and name.endswith(".weight"):
        return random.uniform(0.5, 1.5, shape)
    # Strong enough for attention to choose, and for every layer to matter.
    return random.normal(0, 1.2 / shape[-1] ** 0.5, shape)
