"""What PEFT learnt, as llama.cpp multiplies it: names, row order, scale; or a refusal by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from peft import AdaLoraConfig, LoraConfig, PeftConfig, PeftModel, get_peft_model_state_dict
from peft.utils.other import get_pattern_key
from safetensors.torch import load_file
from torch import Tensor

from lsp_server.errors import CorruptModelError, ModelError
from lsp_server.store.gguf_header import GgufHeader

from ..base.architectures import Architecture, architecture_of

Matrix: TypeAlias = NDArray[np.float32]

PREFIX = "base_model.model."
WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"

_CANNOT: Mapping[str, tuple[Any, ...]] = {
    "use_qalora": (False,),
    "use_bdlora": (None,),
    "lora_bias": (False,),
    "bias": ("none",),
    "fan_in_fan_out": (False,),
    "modules_to_save": (None, []),
    "trainable_token_indices": (None, [], {}),
    "target_parameters": (None, []),
    "layer_replication": (None, []),
    "alora_invocation_tokens": (None, []),
    "arrow_config": (None,),
    "kasa_config": (None,),
    "monteclora_config": (None,),
    "velora_config": (None,),
    "megatron_config": (None,),
}
"""Settings that change more than the layers' matrices, with the values that do not."""

_CHANGE_THE_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")
"""Initialisations that move a part of the base's weights into the adapter."""


@dataclass(frozen=True, slots=True)
class Factors:
    """One weight's difference: ``weight`` += ``b`` (outputs, rank) · ``a`` (rank, inputs).

    ``weight`` is its name in the GGUF; the scale is in ``b``, and rows are in the GGUF's order.
    ``magnitude`` (outputs,) is DoRA's: the sum's rows are then brought to these lengths.
    """

    weight: str
    a: Matrix
    b: Matrix
    magnitude: Matrix | None = None


def factors_of(
    adapter: PeftModel | Path,
    header: GgufHeader,
    check: Callable[[PeftConfig], None],
    *,
    name: str = "default",
) -> list[Factors]:
    """The adapter's factors over a GGUF, of a live model or of the folder that PEFT saved.

    ``check`` says what is wanted, :func:`check_servable` or :func:`check_mergeable`. Weights that
    AdaLoRA left no rank are left out. Raises ModelError, naming what it is and what to do, for an
    adapter that changes anything else than the layers' matrices, and CorruptModelError for one that
    does not fit or is damaged.
    """
    config, state = _read(adapter, name)
    check(config)
    architecture = architecture_of(header)
    name_of = architecture.names(header)
    found = []
    for module, parts in sorted(_by_module(state, config).items()):
        path = module.removeprefix(PREFIX)
        weight = name_of(path)
        if weight is None or path.rpartition(".")[2] not in architecture.linears:
            raise ModelError(
                f"the adapter changes {path}, which llama.cpp cannot serve as a LoRA; give "
                f"target_modules from {', '.join(architecture.linears)}"
            )
        entry = _factors(f"{weight}.weight", path, parts, config)
        stored = header.tensors.get(entry.weight)
        if stored is None or stored.shape != (len(entry.b), entry.a.shape[1]):
            raise CorruptModelError(f"the adapter does not fit the base in {entry.weight}")
        if len(entry.a):
            found.append(_ordered(entry, architecture, header))
    return found


def check_servable(config: PeftConfig) -> None:
    """Raise ModelError for an adapter that llama.cpp cannot serve beside its base."""
    check_mergeable(config)
    if config.use_dora:
        raise ModelError(
            "llama.cpp cannot serve a LoRA with use_dora=True; bake it into a merged model, or "
            "train it without use_dora"
        )


def check_mergeable(config: PeftConfig) -> None:
    """Raise ModelError for an adapter that changes more, or else, than the layers' matrices."""
    kind = getattr(config.peft_type, "value", config.peft_type)
    if kind not in {"LORA", "ADALORA"} or not isinstance(config, LoraConfig):
        raise ModelError(
            f"adapters of PEFT's type {kind} cannot be exported; train a LoRA, DoRA or AdaLoRA"
        )
    for setting, harmless in _CANNOT.items():
        value = getattr(config, setting, harmless[0])
        if value not in harmless:
            raise ModelError(
                f"a LoRA with {setting}={value!r} cannot be exported; train it without {setting}"
            )
    start = config.init_lora_weights
    if isinstance(start, str) and start.lower().startswith(_CHANGE_THE_BASE):
        raise ModelError(
            f"init_lora_weights={start!r} changes the base's weights, and the served base has the "
            "old ones; train with init_lora_weights=True"
        )


def _read(adapter: PeftModel | Path, name: str) -> tuple[PeftConfig, dict[str, Tensor]]:
    if not isinstance(adapter, Path):
        state = get_peft_model_state_dict(adapter, adapter_name=name, save_embedding_layers=False)
        return adapter.peft_config[name], state
    for file in (CONFIG, WEIGHTS):
        if not (adapter / file).is_file():
            raise CorruptModelError(
                f"{adapter} has no {file}; give the folder that PEFT's save_pretrained wrote "
                "(safetensors, never a pickle)"
            )
    return PeftConfig.from_pretrained(str(adapter)), load_file(adapter / WEIGHTS)


def _by_module(state: Mapping[str, Tensor], config: LoraConfig) -> dict[str, dict[str, Matrix]]:
    """The parts of each module's adapter: A, B, and E of AdaLoRA or the magnitudes of DoRA."""
    wanted = {"A", "B"}
    if isinstance(config, AdaLoraConfig):
        wanted.add("E")
    elif config.use_dora:
        wanted.add("magnitude_vector")
    modules: dict[str, dict[str, Matrix]] = {}
    for key, tensor in state.items():
        module, _, part = key.removesuffix(".weight").rpartition(".lora_")
        if part not in wanted:
            raise ModelError(
                f"the adapter holds {key}, which is no part of a LoRA over the layers' linear "
                "maps; leave embeddings and lm_head out of target_modules"
            )
        modules.setdefault(module, {})[part] = tensor.detach().float().cpu().numpy()
    torn = next((module for module, parts in modules.items() if set(parts) != wanted), None)
    if torn is not None or not modules:
        raise CorruptModelError(f"the adapter lacks a part of {torn or 'everything'}; save it anew")
    return modules


def _factors(weight: str, module: str, parts: Mapping[str, Matrix], config: LoraConfig) -> Factors:
    """PEFT's own scale, folded into B."""
    a, b = parts["A"], parts["B"]
    if isinstance(config, AdaLoraConfig):
        # Ranks that lost their budget have a zero in E.
        kept = parts["E"][:, 0] != 0
        alpha = config.lora_alpha if config.lora_alpha > 0 else config.init_r
        scale = alpha / (config.init_r + 1e-5)
        return Factors(weight, (a * parts["E"])[kept], b[:, kept] * scale)
    pattern = get_pattern_key(config.alpha_pattern, module)
    alpha = float(config.alpha_pattern.get(pattern, config.lora_alpha))
    scale = alpha / (len(a) ** 0.5 if config.use_rslora else len(a))
    return Factors(weight, a, b * scale, parts.get("magnitude_vector"))


def _ordered(entry: Factors, architecture: Architecture, header: GgufHeader) -> Factors:
    order = architecture.row_order(entry.weight, header)
    if order is None:
        return entry
    magnitude = entry.magnitude[order] if entry.magnitude is not None else None
    return Factors(entry.weight, entry.a, entry.b[order], magnitude)
