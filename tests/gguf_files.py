"""Small GGUF files of the real format, made with the ``gguf`` package's own writer."""

from collections.abc import Sequence
from pathlib import Path

import gguf
import numpy as np

QWEN_TOKENS = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_sep|>", "a", "b")
PLAIN_TOKENS = ("<s>", "</s>", "a", "b")


def write_gguf(
    path: Path,
    *,
    tokens: Sequence[str] = QWEN_TOKENS,
    architecture: str = "llama",
    name: str = "Tiny",
    size: int = 4096,
    seed: int = 0,
    extra: dict[str, str | int] | None = None,
) -> Path:
    """A file with one tensor of ``size`` bytes; ``extra`` are further metadata."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name(name)
    writer.add_license("mit")
    writer.add_context_length(2048)
    for key, value in (extra or {}).items():
        if isinstance(value, str):
            writer.add_string(key, value)
        else:
            writer.add_uint32(key, value)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(list(tokens))
    writer.add_token_types([1] * len(tokens))
    writer.add_token_merges(["a b"])
    data = np.random.default_rng(seed).integers(0, 255, size // 4, dtype=np.int32)
    writer.add_tensor("token_embd.weight", data.view(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
