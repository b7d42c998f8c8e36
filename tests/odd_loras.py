"""LoRA files that end llama.cpp's process, or that would serve nothing: each was tried."""

from pathlib import Path

import numpy as np
from gguf import GGUFValueType, GGUFWriter

GATE, EMBEDDING = "blk.0.ffn_gate.weight", "token_embd.weight"
A, B = np.ones((4, 64), np.float32), np.ones((96, 4), np.float32)
PAIR = {f"{GATE}.lora_a": A, f"{GATE}.lora_b": B}
TEXT, FLOAT = GGUFValueType.STRING, GGUFValueType.FLOAT32
VALUES = {
    "general.type": ("adapter", TEXT),
    "adapter.type": ("lora", TEXT),
    "adapter.lora.alpha": (0.0, FLOAT),
}
ODD_VALUES = [
    ({"general.type": (1, GGUFValueType.UINT32)}, "holds no adapter"),
    ({"general.type": None}, "holds no adapter but: model"),
    ({"adapter.type": (1, GGUFValueType.UINT32)}, "adapter.type has the wrong type"),
    ({"adapter.type": ("ia3", TEXT)}, "no LoRA but: ia3"),
    ({"adapter.type": None}, "of no stated type"),
    ({"adapter.lora.alpha": (1.0, GGUFValueType.FLOAT64)}, "alpha has the wrong type"),
    ({"adapter.lora.alpha": (0, GGUFValueType.UINT32)}, "alpha has the wrong type"),
    ({"adapter.lora.alpha": ([1.0], GGUFValueType.ARRAY)}, "alpha has the wrong type"),
    ({"general.alignment": (32, GGUFValueType.UINT64)}, "alignment has the wrong type"),
]
"""Metadata, and what is said of it."""
ODD_TENSORS = [
    ({}, "holds no weights"),
    ({f"{GATE}.lora_c": A}, "holds no weights"),
    ({f"{GATE}.lora_a": A}, f"one side of {GATE} is missing"),
    ({f"{GATE}.lora_a": A[0], f"{GATE}.lora_b": B[:, 0]}, "no pair of matrices"),
    ({f"{GATE}.lora_a": A[None], f"{GATE}.lora_b": B}, "no pair of matrices"),
    ({f"{GATE}.lora_a": A[None], f"{GATE}.lora_b": B[None]}, "no pair of matrices"),
    ({f"{GATE}.lora_a": A[:0], f"{GATE}.lora_b": B[:, :0]}, "no pair of matrices"),
    ({f"{GATE}.lora_a": A[:3], f"{GATE}.lora_b": B}, "different ranks"),
    ({name: value.astype(np.int32) for name, value in PAIR.items()}, "nothing is multiplied"),
    ({name: value.astype(np.float64) for name, value in PAIR.items()}, "nothing is multiplied"),
    ({f"{EMBEDDING}.lora_a": B, f"{EMBEDDING}.lora_b": A}, "different ranks"),
    ({f"{EMBEDDING}.lora_a": B, f"{EMBEDDING}.lora_b": A.T.copy()}, "also ends with them"),
]
"""Weights, and what is said of them."""


def write_odd(path: Path, values=(), tensors=None, architecture="llama") -> Path:
    """A LoRA that fits tests.loras.write_tiny_llama, but for what is given."""
    writer = GGUFWriter(path, architecture)
    for key, value in (VALUES | dict(values)).items():
        if value is not None:
            writer.add_key_value(key, *value)
    for name, tensor in (PAIR if tensors is None else tensors).items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
