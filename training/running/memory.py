"""How much memory training would take, and whether that is free: asked before anything is loaded.

A run that takes more than there is does not only fail: it drives out the engine that serves the
user, on the same GPU or by swapping. The estimate is meant to be a little too high. Measured: the
starter on a CPU, in bfloat16, 2.5 GB of an estimated 2.4 to 2.9 (by rank and length); a base of
1.5B on an H100, r 16, 8 × 1,024 tokens, 4.5 GiB with QLoRA and 19 GiB with LoRA.
"""

import math
from pathlib import Path

import psutil
import torch

from lsp_server.errors import NotNowError
from lsp_server.store.gguf_header import read_header

from ..base.architectures import Sizes
from ..recipe.config import RecipeConfig
from ..recipe.losses import CHUNK_VALUES
from ..recipe.machine import Machine

GIGABYTE = 10**9
WEIGHT_BYTES = {"fp32": 4.0, "bf16": 2.0, "nf4": 0.55}
"""Of a weight of the layers; NF4 with its scales. Embeddings and head are never packed."""
PARAMETER_BYTES = 20.0
"""Of a parameter that learns: itself, its gradient, two moments and the best so far in 32 bits."""
WIDTHS, INNER_WIDTHS = 10, 4
"""Values that a layer keeps of a token for the backward pass: so many of the model's width, and of
its feed-forward part's."""
LOGIT_COPIES, ANCHOR_COPIES = 3, 1
"""Tensors of logits that a loss holds at once, and what the base's add to them with an anchor.
Measured with one: none more at the peak, but where a family bounds its logits, one."""
PROCESS_BYTES = {"cpu": 0.8 * GIGABYTE, "cuda": 0.6 * GIGABYTE}
"""What is there besides: the interpreter, torch, the repository; on a GPU the driver's context."""


def needed_bytes(base: Path, machine: Machine, config: RecipeConfig) -> float:
    """Of the device that trains; raises as :func:`read_header` does."""
    header = read_header(base)
    layers = {name: it.shape for name, it in header.tensors.items() if name.startswith("blk.")}
    inside = sum(math.prod(shape) for shape in layers.values())
    outside = header.parameters - inside
    plain = max(WEIGHT_BYTES[machine.precision], 2.0)
    weights = inside * WEIGHT_BYTES[machine.precision] + outside * plain
    matrices = (shape for shape in layers.values() if len(shape) == 2)
    learning = config.rank * sum(map(sum, matrices)) if config.method != "full" else inside
    sizes = Sizes(header)
    width, inner = sizes.need("embedding_length"), sizes.need("feed_forward_length")
    tokens, each = config.micro_tokens, WIDTHS * width + INNER_WIDTHS * inner
    values = tokens * sizes.need("block_count") * each * machine.kept
    copies = LOGIT_COPIES + (ANCHOR_COPIES if config.anchor else 0)
    logits = min(tokens * len(header.vocabulary), CHUNK_VALUES) * copies * 4.0
    return float(
        weights + learning * PARAMETER_BYTES + values * plain + logits
        + PROCESS_BYTES[machine.device.type]
    )  # fmt: skip


def check_memory(base: Path, machine: Machine, config: RecipeConfig) -> None:
    """Raises NotNowError, which says what is missing and what to do, if too little is free."""
    needed = needed_bytes(base, machine, config)
    if machine.device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(machine.device)
        where = "of the GPU's memory"
        instead = ", or train with --method qlora" if machine.precision != "nf4" else ""
    else:
        free, where, instead = psutil.virtual_memory().available, "of memory", ""
    if free < needed:
        raise NotNowError(
            f"training over {base.name} takes about {needed / GIGABYTE:.1f} GB {where}, and "
            f"{free / GIGABYTE:.1f} GB are free; close what uses it and run `tenon train` "
            f"again{instead}"
        )
