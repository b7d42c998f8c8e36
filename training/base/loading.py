"""The served GGUF as a frozen transformers model: one tensor at a time, into its final place.

The model is made without memory for its weights, and each is dequantised, converted and placed
before the next is read, so that a 7B never stands unpacked in memory. llama.cpp's file format
alone is read; nothing is asked of a model hub.
"""

from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from accelerate import init_empty_weights
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from lsp_server.errors import CorruptModelError, ModelError
from lsp_server.store.gguf_header import GgufHeader, read_header

from .architectures import Architecture, architecture_of
from .stored import StoredTensors

Precision: TypeAlias = Literal["fp32", "bf16", "nf4"]
"""How the frozen weights stand in memory; computation is in bfloat16 for the last two."""

EMBEDDING, OUTPUT, ROTATION = "token_embd.weight", "output.weight", "rope_freqs.weight"


def load_base(gguf: Path, precision: Precision, device: torch.device | str) -> PreTrainedModel:
    """A GGUF's model on ``device``, every parameter frozen.

    With ``nf4`` the linear maps of the layers are packed by bitsandbytes (NF4 with double
    quantisation); embeddings, head and norms are bfloat16. Raises ModelError for an architecture,
    a tensor or a ggml type that training does not know, CorruptModelError for a damaged file.
    """
    header = read_header(gguf)
    architecture = architecture_of(header)
    stored = StoredTensors(gguf, header)
    model = _empty(architecture, header, stored, precision)
    if precision == "nf4":
        _prepare_packing(model, architecture)
    _fill(model, architecture, header, stored, torch.device(device))
    model.requires_grad_(requires_grad=False)
    return model.to(device).eval()  # the buffers: all else is there


def _empty(
    architecture: Architecture,
    header: GgufHeader,
    stored: StoredTensors,
    precision: Precision,
) -> PreTrainedModel:
    """The model with real buffers and parameters without memory."""
    tied = OUTPUT not in stored.names()
    settings = architecture.settings(header, vocabulary=stored.shape(EMBEDDING)[0], tied=tied)
    config = AutoConfig.for_model(architecture.model_type, **settings)
    with init_empty_weights(include_buffers=False):
        return AutoModelForCausalLM.from_config(
            config,
            dtype=torch.float32 if precision == "fp32" else torch.bfloat16,
            attn_implementation=architecture.attention,
        )


def _prepare_packing(model: PreTrainedModel, architecture: Architecture) -> None:
    """Put a linear map that packs what it is given in the place of each in the layers."""
    from bitsandbytes.nn import Linear4bit  # noqa: PLC0415 - needless, and slow, on a CPU

    for name, module in list(model.named_modules()):
        if name.rpartition(".")[2] in architecture.linears:
            with torch.device("meta"):
                packed = Linear4bit(
                    module.in_features,
                    module.out_features,
                    bias=module.bias is not None,
                    compute_dtype=torch.bfloat16,
                    compress_statistics=True,
                    quant_type="nf4",
                )
            model.set_submodule(name, packed)
    model.is_loaded_in_4bit = True  # peft asks for it


def _fill(
    model: PreTrainedModel,
    architecture: Architecture,
    header: GgufHeader,
    stored: StoredTensors,
    device: torch.device,
) -> None:
    name_of, unused = architecture.names(header), stored.names()
    dtype = model.dtype
    for name, parameter in list(model.named_parameters()):
        if name == "lm_head.weight" and model.config.tie_word_embeddings:
            continue
        source = name_of(name) or name
        unused.discard(source)
        if stored.shape(source) != _shape(model, name, parameter):
            raise CorruptModelError(f"{source} is not of the size that its model has")
        values = _values(
            stored,
            source,
            dtype,
            order=architecture.row_order(source, header),
            offset=architecture.norm_offset if source.endswith("norm.weight") else 0.0,
        )
        _put(model, name, values, device)
    if model.config.tie_word_embeddings:
        model.get_output_embeddings().weight = model.get_input_embeddings().weight
    if ROTATION in unused and architecture.pairs_rows:
        unused.discard(ROTATION)
        _stretch(model, torch.from_numpy(stored.whole(ROTATION)))
    if unused:
        raise ModelError(
            f"this GGUF has {min(unused)}, which models of the architecture "
            f"{architecture.name!r} have no place for here; choose another model as the base"
        )


def _shape(model: PreTrainedModel, name: str, parameter: Tensor) -> tuple[int, ...]:
    """A parameter's, of a linear map that packs its weight too."""
    module = model.get_submodule(name.rpartition(".")[0])
    if isinstance(module, nn.Linear) and name.endswith(".weight"):
        return module.out_features, module.in_features
    return tuple(parameter.shape)


def _put(model: PreTrainedModel, name: str, values: Tensor, device: torch.device) -> None:
    """Give a module its parameter; a linear map that packs does so on its way to the device."""
    owner, _, leaf = name.rpartition(".")
    module = model.get_submodule(owner)
    parameter: Any = nn.Parameter(values, requires_grad=False)
    if leaf == "weight" and type(module).__name__ == "Linear4bit":
        from bitsandbytes.nn import Params4bit  # noqa: PLC0415

        parameter = Params4bit(
            values,
            requires_grad=False,
            compress_statistics=True,
            quant_type="nf4",
            module=module,
        )
    module.register_parameter(leaf, _moved(parameter, device))


def _stretch(model: PreTrainedModel, factors: Tensor) -> None:
    """Llama 3's own rotary frequencies: the file has what each is divided by."""
    rotary = model.get_decoder().rotary_emb
    rotary.inv_freq /= factors
    rotary.original_inv_freq = rotary.inv_freq.clone()


def _values(
    stored: StoredTensors,
    name: str,
    dtype: torch.dtype,
    *,
    order: NDArray[np.intp] | None,
    offset: float,
) -> Tensor:
    """A tensor in transformers' layout."""
    values = torch.empty(stored.shape(name), dtype=dtype)
    for start, piece in stored.pieces(name):
        rows = slice(start, start + len(piece))
        part = torch.from_numpy(piece - offset if offset else piece)
        values[rows if order is None else torch.from_numpy(order[rows])] = part.to(dtype)
    return values


def _moved(parameter: nn.Parameter, device: torch.device) -> nn.Parameter:
    """On ``device``, and still a parameter: plain ones become tensors when they move."""
    moved = parameter.to(device)
    if isinstance(moved, nn.Parameter):
        return moved
    return nn.Parameter(moved, requires_grad=False)
