"""Whether llama.cpp may be given a LoRA file: some that it takes end the process, now or later.

Whether its weights fit the model is left to llama.cpp, which says so without harm.
"""

from pathlib import Path

from ..errors import CorruptModelError, EngineRequestError
from ..store.gguf_header import GgufHeader, TensorInfo, read_header

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


def check(path: Path, architecture: str, base: Path) -> int:
    """The bytes that a LoRA will take in memory over ``base``, a model of that ``architecture``.

    The whole file is read, so that it then comes from the page cache. Raises ``EngineRequestError``
    with what is wrong with it.
    """
    try:
        header = read_header(path, holds="adapter")
        with path.open("rb", buffering=0) as file:
            while file.read(1 << 20):
                pass
    except CorruptModelError as error:
        raise refusal(f"The adapter cannot be loaded: {error}") from error
    except OSError as error:
        raise refusal(f"The adapter cannot be loaded: {path} cannot be read ({error}).") from error
    trouble = _trouble(header, architecture, base)
    if trouble:
        raise refusal(f"The adapter {path.name} cannot be loaded: {trouble}.")
    return sum(info.size for info in header.tensors.values())


def refusal(message: str) -> EngineRequestError:
    """What a client is told of a file that cannot be an adapter here."""
    return EngineRequestError(message, status=422, param="lora_path")


def _trouble(header: GgufHeader, architecture: str, base: Path) -> str:
    """What is wrong, as half a sentence; "" if nothing is."""
    for key, kind in _KINDS.items():
        if header.kinds.get(key, kind) != kind:
            return f"its {key} has the wrong type"
    if header.metadata.get("adapter.type") != "lora":
        return f"it is no LoRA but: {header.metadata.get('adapter.type', 'of no stated type')}"
    if header.architecture != architecture:
        return f"it was trained over a {header.architecture}, and this model is a {architecture}"
    return _of_weights(header, base)


def _of_weights(header: GgufHeader, base: Path) -> str:
    pairs: dict[str, dict[str, TensorInfo]] = {}
    for name, info in header.tensors.items():
        weight, _, side = name.rpartition(".")
        if side in _SIDES:
            pairs.setdefault(weight, {})[side] = info
    if not pairs:
        return "it holds no weights"
    if said := next(filter(None, (_of_pair(name, pair) for name, pair in pairs.items())), ""):
        return said
    if _EMBEDDING in pairs and _OUTPUT not in read_header(base).tensors:
        # llama.cpp would multiply with it as with any other, and end the process.
        return "it changes the embeddings of a model that also ends with them"
    return ""


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
