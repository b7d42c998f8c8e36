"""Whether a file is a GGUF LoRA that llama.cpp can put onto a base, read off the headers alone."""

from pathlib import Path

from ...errors import CorruptAdapterError, CorruptModelError
from ..gguf_header import GgufHeader, TensorInfo, read_header

_PARTS = ("lora_a", "lora_b")


def check_lora(path: Path, base: Path) -> int:
    """Check a LoRA against the base that it is for; returns the largest rank.

    Trusts nothing that the file claims. Raises CorruptAdapterError, CorruptModelError for the base,
    and ``OSError``.
    """
    try:
        lora = read_header(path, holds="adapter")
    except CorruptModelError as error:
        raise CorruptAdapterError(str(error)) from error
    model = read_header(base)
    if lora.metadata.get("adapter.type") != "lora":
        raise _refusal(path, "is an adapter of another kind than LoRA")
    if lora.metadata.get("adapter.lora.alpha") != 0.0:
        raise _refusal(path, "has a scale of its own (adapter.lora.alpha), which is not supported")
    if lora.architecture != model.architecture:
        raise _refusal(path, f"is for {lora.architecture}, and its base is {model.architecture}")
    names = {name.rpartition(".")[0] for name in lora.tensors}
    if not names or {f"{name}.{part}" for name in names for part in _PARTS} != set(lora.tensors):
        raise _refusal(path, "does not consist of pairs of low rank")
    return max(_rank(path, name, lora, model) for name in names)


def _rank(path: Path, name: str, lora: GgufHeader, model: GgufHeader) -> int:
    """The rank of one pair, which fits the base's weight of that name."""
    a, b = (lora.tensors[f"{name}.{part}"] for part in _PARTS)
    weight = model.tensors.get(name)
    if weight is None or not _fits(a, b, weight):
        raise _refusal(path, f"does not fit its base in {name}")
    if not (a.size and b.size):
        raise _refusal(path, f"holds {name} in a type that this Tenon does not know")
    return a.shape[0]


def _fits(a: TensorInfo, b: TensorInfo, weight: TensorInfo) -> bool:
    if len(a.shape) != 2 or len(b.shape) != 2 or not a.shape[0]:
        return False
    return a.shape[0] == b.shape[1] and (b.shape[0], a.shape[1]) == weight.shape


def _refusal(path: Path, why: str) -> CorruptAdapterError:
    return CorruptAdapterError(f"{path.name} {why}; have whoever made it send another one")
