"""Whether the store may take in a LoRA file: harmless, and made for its base, by its header."""

from pathlib import Path

from ...errors import CorruptAdapterError, CorruptModelError
from ..gguf_header import GgufHeader, TensorInfo, read_header
from ..lora_rules import pairs_of, trouble_with


def check_lora(path: Path, base: Path) -> int:
    """Check a LoRA against the base that it is for; returns the largest rank.

    Beyond what the engine asks (:func:`~lsp_server.store.lora_rules.trouble_with`), it must consist
    of matrices of the base's shapes and have no scale of its own. Trusts nothing that the file
    claims. Raises CorruptAdapterError, CorruptModelError for the base, and ``OSError``.
    """
    try:
        lora = read_header(path, holds="adapter")
    except CorruptModelError as error:
        raise CorruptAdapterError(str(error)) from error
    model = read_header(base)
    trouble = trouble_with(lora, model.architecture, lambda: model.tensors)
    if trouble or (trouble := _misfit(lora, model)):
        raise CorruptAdapterError(
            f"{path.name} is no adapter for this base: {trouble}; have whoever made it send another"
        )
    return max(pair["lora_a"].shape[0] for pair in pairs_of(lora).values())


def _misfit(lora: GgufHeader, model: GgufHeader) -> str:
    """What keeps a harmless LoRA from belonging to a model, as half a sentence."""
    if lora.metadata.get("adapter.lora.alpha") != 0.0:
        return "it has a scale of its own (adapter.lora.alpha), which is not supported"
    pairs = pairs_of(lora)
    if len(lora.tensors) != sum(map(len, pairs.values())):
        return "it does not consist of pairs of low rank"
    for name, pair in pairs.items():
        weight = model.tensors.get(name)
        if weight is None or not _fits(pair["lora_a"], pair["lora_b"], weight):
            return f"it does not fit its base in {name}"
    return ""


def _fits(a: TensorInfo, b: TensorInfo, weight: TensorInfo) -> bool:
    if len(a.shape) != 2:
        return False
    return a.shape[0] == b.shape[1] and (b.shape[0], a.shape[1]) == weight.shape
