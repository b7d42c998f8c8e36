"""The Llama architecture over packed documents, in GGUF's own weight layout; knows no training.

Weights are stacked over the layers, so that a low-rank difference to all of them is a handful of
batched products. GGUF stores query and key rows so that rotary pairs are neighbours; the model
rotates neighbours, and nothing is ever permuted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere
from gguf import GGUFReader, dequantize
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from lsp_server.errors import ModelError

LINEARS = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
"""The seven linear maps of a layer, by their names in a GGUF."""

Mask: TypeAlias = "BlockMask | Tensor"
"""Who attends to whom: FlexAttention's on a GPU, (B, 1, T, T) booleans elsewhere."""


@dataclass(frozen=True, slots=True)
class LlamaConfig:
    """Sizes of a model: ``heads`` share ``kv_heads`` in groups; ``rope_base`` is rotary's base."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    head_size: int
    vocabulary: int
    rope_base: float
    norm_epsilon: float


@dataclass(frozen=True, slots=True)
class LlamaWeights:
    """All weights, float32.

    ``linears[name]`` is (layers, out, in), ``norms[name]`` (layers, width) for ``attn_norm`` and
    ``ffn_norm``, ``output_norm`` (width,), ``embedding`` (vocabulary, width), tied to the output.
    """

    linears: Mapping[str, Tensor]
    norms: Mapping[str, Tensor]
    output_norm: Tensor
    embedding: Tensor

    def to(self, device: torch.device) -> "LlamaWeights":
        """The same weights in a device's memory."""
        return LlamaWeights(
            {name: weight.to(device) for name, weight in self.linears.items()},
            {name: weight.to(device) for name, weight in self.norms.items()},
            self.output_norm.to(device),
            self.embedding.to(device),
        )


def read_llama(path: Path, reader: GGUFReader) -> tuple[LlamaConfig, LlamaWeights]:
    """Dequantise a GGUF; raises ModelError if it is no whole Llama with tied embeddings."""
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    architecture = reader.get_field("general.architecture")
    if architecture is None or architecture.contents() != "llama" or "output.weight" in tensors:
        raise ModelError(
            f"{path.name} is no Llama with tied embeddings, which is all that the starter's recipe "
            "trains; give the starter model that the catalogue names"
        )

    def value(key: str) -> float:
        field = reader.get_field(f"llama.{key}")
        if field is None:
            raise ModelError(f"{path.name} does not say its llama.{key}; pull it again")
        return float(field.contents())

    def weight(name: str) -> Tensor:
        tensor = tensors.get(name)
        if tensor is None:
            raise ModelError(f"{path.name} has no {name}; pull it again")
        return torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).astype(np.float32))

    layers, width, heads = (
        int(value(key)) for key in ("block_count", "embedding_length", "attention.head_count")
    )
    embedding = weight("token_embd.weight")
    config = LlamaConfig(
        layers=layers,
        width=width,
        heads=heads,
        kv_heads=int(value("attention.head_count_kv")),
        head_size=width // heads,
        vocabulary=len(embedding),
        rope_base=value("rope.freq_base"),
        norm_epsilon=value("attention.layer_norm_rms_epsilon"),
    )

    def stacked(name: str) -> Tensor:
        return torch.stack([weight(f"blk.{layer}.{name}.weight") for layer in range(layers)])

    return config, LlamaWeights(
        {name: stacked(name) for name in LINEARS},
        {name: stacked(name) for name in ("attn_norm", "ffn_norm")},
        weight("output_norm.weight"),
        embedding,
    )


def rotation(config: LlamaConfig, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines of rotary embedding: positions (B, T) -> two of (B, 1, T, D/2), float32."""
    halves = torch.arange(0, config.head_size, 2, device=positions.device, dtype=torch.float32)
    frequencies = config.rope_base ** (-halves / config.head_size)
    angles = positions.float()[:, None, :, None] * frequencies
    return angles.cos(), angles.sin()


def rotate(heads: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Turn neighbouring pairs of (B, H, T, D) by their positions' angles."""
    cosine, sine = turn
    even, odd = heads.float().unflatten(-1, (-1, 2)).unbind(-1)
    turned = torch.stack((even * cosine - odd * sine, even * sine + odd * cosine), dim=-1)
    return turned.flatten(-2).to(heads.dtype)


def document_mask(documents: Tensor) -> Mask:
    """Causal inside each document of packed rows; ``documents`` numbers them, (B, T)."""
    if documents.device.type != "cuda":
        same = documents[:, None, :, None] == documents[:, None, None, :]
        return same & torch.ones_like(same[0, 0]).tril()

    def visible(row: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (query >= key) & (documents[row, query] == documents[row, key])

    rows, length = documents.shape
    return create_block_mask(visible, rows, None, length, length, device=documents.device)


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Mask) -> Tensor:
    """Grouped attention: queries (B, H, T, D), keys and values (B, G, T, D) -> (B, H, T, D)."""
    if isinstance(mask, BlockMask):
        return flex_attention(query, key, value, block_mask=mask, enable_gqa=True)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, enable_gqa=True)


def block(
    states: Tensor,
    linears: tuple[Tensor, Tensor, Tensor, Tensor],
    norms: tuple[Tensor, Tensor],
    turn: tuple[Tensor, Tensor],
    *,
    mask: Mask,
    config: LlamaConfig,
) -> Tensor:
    """One layer: states (B, T, width) -> the same shape.

    ``linears`` are query+key+value, attention output, gate+up and down, each (out, in): joined
    maps are one product instead of two or three.
    """
    qkv, attention_output, gate_up, down = linears
    size = (config.width,)
    normed = F.rms_norm(states, size, norms[0], config.norm_epsilon)
    joined = F.linear(normed, qkv).unflatten(-1, (-1, config.head_size)).transpose(1, 2)
    query, key, value = joined.split([config.heads, config.kv_heads, config.kv_heads], dim=1)
    attended = attend(rotate(query, turn), rotate(key, turn), value, mask)
    states = states + F.linear(attended.transpose(1, 2).flatten(-2), attention_output)
    normed = F.rms_norm(states, size, norms[1], config.norm_epsilon)
    gate, up = F.linear(normed, gate_up).chunk(2, dim=-1)
    return states + F.linear(F.silu(gate) * up, down)


def joined_linears(linears: Mapping[str, Tensor]) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Per layer, the four products that :func:`block` takes, from the seven stacked maps."""
    joined = (
        torch.cat([linears[name] for name in ("attn_q", "attn_k", "attn_v")], dim=1),
        linears["attn_output"],
        torch.cat([linears[name] for name in ("ffn_gate", "ffn_up")], dim=1),
        linears["ffn_down"],
    )
    # unbind, not indexing: its backward stacks once instead of adding 30 mostly empty tensors.
    return list(zip(*(weight.unbind(0) for weight in joined), strict=True))
