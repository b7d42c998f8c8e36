"""A starter of a few hundred kilobytes, a corpus of a few files, and a run over them."""

import json
import lzma
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.tiny_llama import write_llama

CONFIG = {
    "base": "base.gguf",
    "corpus": ["corpus/*.jsonl.xz"],
    "heldout": ["heldout.jsonl.xz"],
    "output": "starter.lora.gguf",
    "log": "log.jsonl",
    "tokens": 20 * 2 * 128,
    "rows": 2,
    "length": 128,
    "learning_rate": 0.01,
    "warmup": 3,
    "attention_rank": 32,
    "feed_forward_rank": 32,
    "compile": False,
    "mixture": {"shortest": 32, "longest": 96},
}
"""A run of 20 steps."""

WriteConfig = Callable[..., Path]


def write_shard(path: Path, texts: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with lzma.open(path, "wt", encoding="utf-8") as lines:
        for number, text in enumerate(texts):
            entry = {"source": "pypi:shelf==1.0", "path": f"src/f{number}.py", "text": text}
            lines.write(json.dumps(entry) + "\n")
    return path


def source(number: int) -> str:
    names = ("alpha", "beta", "gamma", "delta", "omega")
    name, other = names[number % 5], names[number % 3]
    return (
        f"def get_{name}(self):\n    return self.{name}\n\n\n"
        f"def get_{other}(self):\n    return self.{other}\n"
    )


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    write_llama(tmp_path / "base.gguf")
    write_shard(tmp_path / "corpus" / "group1-0.jsonl.xz", [source(n) for n in range(12)])
    write_shard(tmp_path / "heldout.jsonl.xz", [source(n) for n in range(12, 16)])
    return tmp_path


@pytest.fixture
def write_config(run_folder: Path) -> WriteConfig:
    """Writes the TOML of a run with some fields changed; returns where."""

    def write(**changes: object) -> Path:
        fields = CONFIG | changes
        mixture = fields.pop("mixture")
        lines = [f"{name} = {json.dumps(value)}" for name, value in fields.items()]
        lines += ["[mixture]", *(f"{name} = {value}" for name, value in mixture.items())]
        path = run_folder / "run.toml"
        path.write_text("\n".join(lines), encoding="utf-8")
        return path

    return write


@pytest.fixture
def as_before() -> Iterator[None]:
    """Puts back what a run settles for its process."""
    import torch

    precision, parallel = torch.get_float32_matmul_precision(), "TOKENIZERS_PARALLELISM"
    was_set = parallel in os.environ
    yield
    torch.set_float32_matmul_precision(precision)
    if not was_set:
        os.environ.pop(parallel, None)
