"""Which LoRA files llama.cpp must not be given: some that it takes end the process, at once or at
the first decode. Pure, over headers; each rule was tried.
"""

from collections.abc import Callable, Collection

from .gguf_header import GgufHeader, TensorInfo

_FLOAT32, _STRING, _UINT32 = 6, 8, 4
_KINDS = {
    "general.architecture": _STRING,
    "general.type": _STRING,
    "adapter.type": _STRING,
    "adapter.lora.alpha": _FLOAT32,
    "general.alignment": _UINT32,
}
"""GGUF's types of the values that llama.cpp reads without asking for theirs."""
_MULTIPLIED = frozenset({0, 1, 2, 3, 6, 7, 8, 10, 11, 12, 13, 14, 30})
"""ggml's types of matrices that a CPU multiplies with: F32, F16, BF16, Q4_0 to Q8_0, Q2_K to Q6_K;
with the others (integers, 64 bits) it ends by a segmentation fault."""
_SIDES = ("lora_a", "lora_b")
_EMBEDDING, _OUTPUT = "token_embd.weight", "output.weight"


def trouble_with(
    lora: GgufHeader, architecture: str, weights_of_base: Callable[[], Collection[str]]
) -> str:
    """What is wrong with a LoRA for a model of that ``architecture``, as half a sentence; "" if
    nothing is. ``weights_of_base`` is asked for only if the LoRA changes embeddings.

    Whether the shapes are the model's is not asked: llama.cpp says that without harm.
    """
    for key, kind in _KINDS.items():
        if lora.kinds.get(key, kind) != kind:
            return f"its {key} has the wrong type"
    if lora.metadata.get("adapter.type") != "lora":
        return f"it is no LoRA but: {lora.metadata.get('adapter.type', 'of no stated type')}"
    if lora.architecture != architecture:
        return f"it was trained over a {lora.architecture}, and this model is a {architecture}"
    return _of_weights(pairs_of(lora), weights_of_base)


def _of_weights(
    pairs: dict[str, dict[str, TensorInfo]], weights_of_base: Callable[[], Collection[str]]
) -> str:
    if not pairs:
        return "it holds no weights"
    if said := next(filter(None, (_of_pair(name, pair) for name, pair in pairs.items())), ""):
        return said
    if _EMBEDDING in pairs and _OUTPUT not in weights_of_base():
        # llama.cpp would multiply with it as with any other, and end the process.
        return "it changes the embeddings of a model that also ends with them"
    return ""


def pairs_of(lora: GgufHeader) -> dict[str, dict[str, TensorInfo]]:
    """The sides ``lora_a`` and ``lora_b`` of every weight that is changed, by its name."""
    pairs: dict[str, dict[str, TensorInfo]] = {}
    for name, info in lora.tensors.items():
        weight, _, side = name.rpartition(".")
        if side in _SIDES:
            pairs.setdefault(weight, {})[side] = info
    return pairs


def _of_pair(name: str, pair: dict[str, TensorInfo]) -> str:
    if len(pair) != len(_SIDES):
        return f"one side of {name} is missing"
    a, b = (pair[side].shape for side in _SIDES)
    # Experts are stacked; every other weight is a matrix.
    if len(a) != len(b) or len(a) != 2 + ("_exps." in name) or not all((*a, *b)):
        return f"{name} is no pair of matrices"
    # A token's row is looked up in A, which therefore lies on its side.
    if b[-1] != a[-1 if name == _EMBEDDING else -2]:
        return f"the sides of {name} have different ranks"
    if not _MULTIPLIED.issuperset(info.kind for info in pair.values()):
        return f"{name} has a type that nothing is multiplied with"
    return ""
