"""What transformers and llama.cpp call the same things, per architecture; no torch, no weights.

The served file decides: where transformers' defaults and llama.cpp's differ (windows, softcaps,
scales), the configuration says what llama.cpp computes. Source: llama.cpp's ``llama-model.cpp`` and
``convert_hf_to_gguf.py``; held by oracle tests.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from gguf import MODEL_ARCH_NAMES, get_tensor_name_map
from numpy.typing import NDArray

from lsp_server.errors import ModelError
from lsp_server.store.gguf_header import GgufHeader

Settings = dict[str, Any]
"""Arguments of a transformers configuration."""

GATED = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
PLAIN = ("q_proj", "k_proj", "v_proj", "o_proj", "c_fc", "c_proj")


class Sizes:
    """The values of one architecture in a GGUF's header, asked for by their names."""

    def __init__(self, header: GgufHeader) -> None:
        self._values = header.metadata
        self._architecture = header.architecture

    def get(self, key: str, default: Any = None) -> Any:
        return self._values.get(f"{self._architecture}.{key}", default)

    def need(self, key: str) -> Any:
        value = self.get(key)
        if value is None:
            # A list with one value a layer is not kept by the header's reader.
            raise ModelError(
                f"this GGUF does not say its {self._architecture}.{key} as one number for all "
                "layers, so it cannot be trained; choose another model as the base"
            )
        return value

    @property
    def heads(self) -> int:
        return int(self.need("attention.head_count"))

    @property
    def kv_heads(self) -> int:
        return int(self.get("attention.head_count_kv", self.heads))

    @property
    def head_size(self) -> int:
        return int(self.get("attention.key_length", self.need("embedding_length") // self.heads))


@dataclass(frozen=True, slots=True)
class Architecture:
    """One family of models.

    ``linears`` are the modules that a LoRA may sit on. ``own`` adds what only this family's
    configuration has. ``pairs_rows``: the GGUF holds query and key rows so that rotary pairs are
    neighbours. ``norm_offset`` is what a norm's weight is larger by in the GGUF.
    """

    name: str
    model_type: str
    linears: tuple[str, ...]
    own: Callable[[Sizes], Settings]
    pairs_rows: bool = False
    norm_offset: float = 0.0
    attention: str = "sdpa"

    def settings(self, header: GgufHeader, *, vocabulary: int, tied: bool) -> Settings:
        """Arguments of the transformers configuration that computes what llama.cpp does."""
        sizes = Sizes(header)
        _check_rotation(sizes)
        common = {
            "vocab_size": vocabulary,
            "hidden_size": sizes.need("embedding_length"),
            "intermediate_size": sizes.need("feed_forward_length"),
            "num_hidden_layers": self.layers(header),
            "num_attention_heads": sizes.heads,
            "num_key_value_heads": sizes.kv_heads,
            "max_position_embeddings": sizes.need("context_length"),
            "rope_parameters": _rotation(sizes),
            "tie_word_embeddings": tied,
            "bos_token_id": header.metadata.get("tokenizer.ggml.bos_token_id"),
            "eos_token_id": header.metadata.get("tokenizer.ggml.eos_token_id"),
            "pad_token_id": None,  # padding is masked; an embedding row of zeros is not the file's
        }
        return common | self.own(sizes)

    @staticmethod
    def layers(header: GgufHeader) -> int:
        return int(Sizes(header).need("block_count"))

    def names(self, header: GgufHeader) -> Callable[[str], str | None]:
        """Module or parameter name of transformers -> tensor name in the GGUF, None if unknown."""
        architecture = next(key for key, name in MODEL_ARCH_NAMES.items() if name == self.name)
        table = get_tensor_name_map(architecture, self.layers(header))

        def name(of: str) -> str | None:
            found: str | None = table.get_name(of, try_suffixes=(".weight", ".bias"))
            return found

        return name

    def row_order(self, tensor: str, header: GgufHeader) -> NDArray[np.intp] | None:
        """Which row of transformers' matrix each row of this GGUF tensor is; None: the same one."""
        sizes = Sizes(header)
        heads = {"attn_q": sizes.heads, "attn_k": sizes.kv_heads}.get(tensor.split(".")[-2])
        if not self.pairs_rows or heads is None:
            return None
        rows = np.arange(heads * sizes.head_size)
        return rows.reshape(heads, 2, -1).swapaxes(1, 2).ravel()


def architecture_of(header: GgufHeader) -> Architecture:
    """How to train over a file; raises ModelError, with what to do, for a family that cannot be."""
    try:
        return ARCHITECTURES[header.architecture]
    except KeyError:
        raise ModelError(
            f"models of the architecture {header.architecture!r} can be served but not trained; "
            f"choose a base of one of these: {', '.join(sorted(ARCHITECTURES))}"
        ) from None


def _check_rotation(sizes: Sizes) -> None:
    head = sizes.head_size
    for key in ("attention.value_length", "rope.dimension_count"):
        if sizes.get(key, head) != head:
            raise ModelError(
                f"this GGUF has heads of {head} values but a {key} of {sizes.get(key)}, which "
                "training does not know; choose another model as the base"
            )
    kind = sizes.get("rope.scaling.type", "none")
    if kind not in {"none", "linear"}:
        raise ModelError(
            f"this GGUF stretches its context by {kind!r}, which training does not know; take the "
            "same model's file without it"
        )


def _rotation(sizes: Sizes) -> Settings:
    base = sizes.get("rope.freq_base", 10_000.0)
    factor = sizes.get("rope.scaling.factor", sizes.get("rope.scale_linear", 0.0))
    if factor in {0.0, 1.0} or sizes.get("rope.scaling.type") == "none":
        return {"rope_type": "default", "rope_theta": base}
    return {"rope_type": "linear", "rope_theta": base, "factor": factor}


def _gated(sizes: Sizes) -> Settings:
    return {"rms_norm_eps": sizes.need("attention.layer_norm_rms_epsilon")}


def _with_head_size(sizes: Sizes) -> Settings:
    return _gated(sizes) | {"head_dim": sizes.head_size}


def _starcoder2(sizes: Sizes) -> Settings:
    # llama.cpp knows no window here.
    return {"norm_epsilon": sizes.need("attention.layer_norm_epsilon"), "sliding_window": None}


def _gemma(sizes: Sizes, *, largest: int, period: int) -> Settings:
    """``largest``: how many layers the model has that scales by its width over its heads."""
    layers = int(sizes.need("block_count"))
    width = int(sizes.need("embedding_length"))
    period = int(sizes.get("attention.sliding_window_pattern", period))
    return _with_head_size(sizes) | {
        "query_pre_attn_scalar": width // sizes.heads if layers == largest else sizes.head_size,
        "layer_types": [
            "sliding_attention" if layer % period < period - 1 else "full_attention"
            for layer in range(layers)
        ],
    }


def _gemma2(sizes: Sizes) -> Settings:
    return _gemma(sizes, largest=46, period=2) | {
        "sliding_window": sizes.get("attention.sliding_window", 4096),
        "attn_logit_softcapping": sizes.get("attn_logit_softcapping", 50.0),
        "final_logit_softcapping": sizes.get("final_logit_softcapping", 30.0),
    }


def _gemma3(sizes: Sizes) -> Settings:
    near = {"rope_type": "default", "rope_theta": sizes.get("rope.freq_base_swa", 10_000.0)}
    return _gemma(sizes, largest=62, period=6) | {
        "sliding_window": sizes.need("attention.sliding_window"),
        "final_logit_softcapping": sizes.get("final_logit_softcapping"),
        "rope_parameters": {"full_attention": _rotation(sizes), "sliding_attention": near},
    }


ARCHITECTURES: Mapping[str, Architecture] = {
    entry.name: entry
    for entry in (
        Architecture("llama", "llama", GATED, _with_head_size, pairs_rows=True),
        Architecture("qwen2", "qwen2", GATED, _gated),
        Architecture("qwen3", "qwen3", GATED, _with_head_size),
        # Its softcap on attention scores is not to be had with sdpa.
        Architecture("gemma2", "gemma2", GATED, _gemma2, norm_offset=1.0, attention="eager"),
        Architecture("gemma3", "gemma3_text", GATED, _gemma3, norm_offset=1.0),
        Architecture("starcoder2", "starcoder2", PLAIN, _starcoder2),
    )
}
