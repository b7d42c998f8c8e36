"""Models of real sizes with random weights, made on the device: speed and memory need no others."""

import torch
from accelerate import init_empty_weights
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedModel, Qwen2Config

from training.base.architectures import ARCHITECTURES
from training.base.loading import Precision, _prepare_packing, _put

ARCHITECTURE = ARCHITECTURES["qwen2"]


def _qwen(**sizes: int | bool) -> dict[str, object]:
    return {"num_key_value_heads": 2, "vocab_size": 151_936, "tie_word_embeddings": True} | sizes


SHAPES = {
    "tiny": _qwen(
        hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=192,
        vocab_size=512,
    ),
    "0.5b": _qwen(
        hidden_size=896, num_hidden_layers=24, num_attention_heads=14, intermediate_size=4_864
    ),
    "1.5b": _qwen(
        hidden_size=1_536, num_hidden_layers=28, num_attention_heads=12, intermediate_size=8_960
    ),
    "7b": _qwen(
        hidden_size=3_584, num_hidden_layers=28, num_attention_heads=28, num_key_value_heads=4,
        intermediate_size=18_944, vocab_size=152_064, tie_word_embeddings=False,
    ),
}  # fmt: skip
"""Qwen2.5-Coder's."""


def random_model(
    shape: str, precision: Precision, device: torch.device, *, seed: int = 0
) -> PreTrainedModel:
    """A frozen model in training mode, the same for the same seed.

    As ``training.base.loading`` does, each tensor is made and, where it is to be, packed before the
    next.
    """
    config = Qwen2Config(
        **SHAPES[shape],
        max_position_embeddings=32_768,
        rms_norm_eps=1e-6,
        rope_parameters={"rope_type": "default", "rope_theta": 1_000_000.0},
    )
    dtype = torch.float32 if precision == "fp32" else torch.bfloat16
    with init_empty_weights(include_buffers=False):
        model = AutoModelForCausalLM.from_config(
            config, dtype=dtype, attn_implementation=ARCHITECTURE.attention
        )
    tied = {"lm_head.weight"} if config.tie_word_embeddings else set()
    weights = [(name, tuple(it.shape)) for name, it in model.named_parameters() if name not in tied]
    if precision == "nf4":
        _prepare_packing(model, ARCHITECTURE)
    random = torch.Generator(device).manual_seed(seed)
    for name, size in weights:
        values = torch.empty(size, dtype=dtype, device=device)
        if "norm" in name:
            values.fill_(1.0)
        else:
            # Strong enough for every layer to matter to the loss.
            values.normal_(0.0, 1.0 / size[-1] ** 0.5 if len(size) > 1 else 0.02, generator=random)
        _put(model, name, values, device)
    if tied:
        model.get_output_embeddings().weight = model.get_input_embeddings().weight
    return model.requires_grad_(requires_grad=False).to(device).train()


def start_adapter(model: nn.Module, *, seed: int = 1) -> None:
    """Draw A and B of every LoRA, the same for the same seed; none of them zero."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                random = torch.Generator(parameter.device).manual_seed(seed)
                strength = 0.01 if "lora_B" in name else 1.0 / parameter.shape[-1] ** 0.5
                parameter.normal_(0.0, strength, generator=random)
                seed += 1
