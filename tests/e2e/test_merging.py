"""llama.cpp is the judge: what it computes with a LoRA beside its base, a merged file computes."""

import logging
from pathlib import Path

import numpy as np
import pytest

from lsp_server.engine.llama import Adapter, Backend, Context, Model
from lsp_server.store.merging import Lora, merge
from tests.loras import write_lora
from tests.starter import plain_file

CODE = "def add(a, b):\n    return a + b\n\n\nclass Shelf:\n    def __init__(self, books):\n"


@pytest.fixture(scope="module")
def backend() -> Backend:
    return Backend(logging.getLogger("llama"))


def logits(backend: Backend, path: Path, lora: Path | None = None) -> np.ndarray:
    """Of every token of the text, shape (tokens, vocabulary)."""
    model = Model.load(backend, path)
    context = Context(model, tokens=64, sequences=1, chunk=64, threads=2)
    adapter = Adapter(model, lora) if lora else None
    if adapter:
        context.use_adapters(((adapter, 1.0),))
    tokens = model.vocabulary.tokenize(CODE)
    context.decode(tokens, position=0, sequence=0, every_logit=True)
    found = np.array([context.logits(index) for index in range(len(tokens))])
    context.close()
    if adapter:
        adapter.close()
    model.close()
    return found


def test_a_merged_file_computes_what_base_and_adapter_do(backend: Backend, tmp_path: Path) -> None:
    # In 16 bits, so that nothing but the layout of the LoRA can make a difference.
    base, merged = tmp_path / "base.gguf", tmp_path / "merged.gguf"
    merge(plain_file(), None, base, "F16", values={})
    lora = write_lora(
        tmp_path / "lora.gguf", base, strength=0.01, row_ids=(), exact=True, trained_over="-"
    )
    merge(base, Lora.read(lora), merged, "F16", values={})
    alone, beside, within = (
        logits(backend, base),
        logits(backend, base, lora),
        logits(backend, merged),
    )
    changed = np.abs(beside - alone).mean()
    assert changed > 1
    assert np.abs(within - beside).mean() < 0.01 * changed
    assert (within.argmax(axis=1) == beside.argmax(axis=1)).mean() > 0.9
