"""What a run computes on: the device, the precision of the base, and how much at once."""

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch

from lsp_server.cores import usable_cores
from lsp_server.errors import SettingsError
from lsp_server.prompt.window import Budget

from ..base.loading import Precision
from .config import FEW_STEPS_RATE, FEW_STEPS_SAMPLES, STEP_SAMPLES, RecipeConfig

CPU_MICRO_TOKENS = 1_024
"""Tokens that pass through the model at once on a CPU: they bound the memory, and more are hardly
faster there."""
CPU_PROMPT = Budget(prefix=256, suffix=64, output=96, snippets=128)
"""Most of a sample's prompt on a CPU. An engine that is fast is asked with prompts of 2,000 tokens;
from those, two cores learn some 60 samples in seven minutes, from shorter ones 650. The gate
asks with what serves (docs/benchmarks.md)."""
CPU_SECONDS = 480.0
"""How long a run on a CPU trains if nobody says otherwise."""
FREE_SHARE = 2
"""``auto`` packs a base that takes more than one part in so many of a GPU's free memory."""
ONEDNN_SHAPES = "64"
"""oneDNN keeps what it made for so many shapes; its own 1,024 grow by gigabytes here."""
UNPACKED = 4
"""How much larger a 4-bit file is in bfloat16, about."""


@dataclass(frozen=True, slots=True)
class Machine:
    """``threads`` are those of a CPU; 0 leaves torch's own choice. ``prompt`` bounds the prompts
    of samples below what serves (None: not).
    """

    device: torch.device
    precision: Precision
    compiled: bool
    kept: float = 1.0
    threads: int = 0
    prompt: Budget | None = None


def machine_for(
    config: RecipeConfig, base: Path, *, threads: int = 0, processes: int = 1
) -> tuple[Machine, RecipeConfig]:
    """Where a configuration runs, and the configuration with what follows from that filled in.

    ``threads`` are as many as may compute on a CPU (0: half of more than two). ``processes`` are
    those that train together: a step that nobody chose is as large as they can share equally.
    Raises SettingsError for a method that this machine cannot run.
    """
    if config.method == "full" and config.anchor:
        raise SettingsError(
            "recipe.anchor: the method 'full' changes the base, so there is none to stay near; "
            "leave it out, or train an adapter"
        )
    if not torch.cuda.is_available():
        return _cpu(config, threads, processes)
    local = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local)
    method = config.method
    if method == "auto":
        free, _ = torch.cuda.mem_get_info(device)
        large = base.stat().st_size * UNPACKED * FREE_SHARE > free
        method = "qlora" if large else "lora"
    precision: Precision = "nf4" if method == "qlora" else "bf16"
    if method == "full":
        precision = "fp32"
    config = msgspec.structs.replace(
        config,
        method=method,
        learning_rate=config.rate,
        step_samples=config.step_samples or _shared(STEP_SAMPLES, processes),
    )
    kept = 0.2 if method == "qlora" else 1.0
    return Machine(device, precision, compiled=True, kept=kept, threads=threads), config


def _multiplies_bfloat16() -> bool:
    """Whether this CPU has instructions for it, which are more than twice as fast as 32 bits: AMX's
    or AVX-512's. Without either, bfloat16 is slower.
    """
    cpu = torch.cpu  # no public names: pytorch/pytorch, torch/cpu/__init__.py
    return bool(cpu._is_amx_tile_supported() or cpu._is_avx512_bf16_supported())  # noqa: SLF001


def _shared(samples: int, processes: int) -> int:
    """As many, or the next number that processes can share equally."""
    return -(-samples // processes) * processes


def _cpu(config: RecipeConfig, threads: int, processes: int) -> tuple[Machine, RecipeConfig]:
    if config.method == "qlora":
        raise SettingsError(
            "QLoRA needs a CUDA GPU; leave --method out, or use --method lora, which trains over "
            "the same weights on a CPU"
        )
    method = "lora" if config.method == "auto" else config.method
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", ONEDNN_SHAPES)
    fast = _multiplies_bfloat16() and method != "full"
    config = msgspec.structs.replace(config, method=method)
    limited = config.time_budget or config.max_steps
    config = msgspec.structs.replace(
        config,
        learning_rate=config.learning_rate or FEW_STEPS_RATE,
        step_samples=config.step_samples or _shared(FEW_STEPS_SAMPLES, processes),
        micro_tokens=min(config.micro_tokens, CPU_MICRO_TOKENS),
        time_budget=config.time_budget if limited else CPU_SECONDS,
    )
    if not threads and (cores := usable_cores()) > 2:
        threads = cores // 2
    precision: Precision = "bf16" if fast else "fp32"
    machine = Machine(
        torch.device("cpu"), precision, compiled=False, threads=threads, prompt=CPU_PROMPT
    )
    return machine, config
