"""What is taken into the store is what the engine may be given, and fits its base besides."""

from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFValueType

from lsp_server.errors import CorruptAdapterError
from lsp_server.store.adapters.lora import check_lora
from tests.loras import write_lora, write_tiny_llama
from tests.odd_loras import GATE, ODD_TENSORS, ODD_VALUES, PAIR, A, B, write_odd


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_llama(tmp_path_factory.mktemp("base") / "base.gguf")


def refused(path: Path, base: Path) -> str:
    with pytest.raises(CorruptAdapterError) as caught:
        check_lora(path, base)
    return str(caught.value)


@pytest.mark.parametrize("exact", [True, False])
def test_what_tenon_writes_is_taken_with_its_rank(tmp_path: Path, base: Path, exact: bool):
    path = write_lora(tmp_path / "a.gguf", base, row_ids=(), rank=8, exact=exact)
    assert check_lora(path, base) == 8


@pytest.mark.parametrize(("values", "message"), ODD_VALUES)
def test_values_that_the_engine_refuses(tmp_path: Path, base: Path, values, message: str):
    assert message in refused(write_odd(tmp_path / "a.gguf", values), base)


@pytest.mark.parametrize(("tensors", "message"), ODD_TENSORS)
def test_weights_that_the_engine_refuses(tmp_path: Path, base: Path, tensors, message: str):
    assert message in refused(write_odd(tmp_path / "a.gguf", tensors=tensors), base)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (({"adapter.lora.alpha": (16.0, GGUFValueType.FLOAT32)},), "scale of its own"),
        (({}, PAIR | {"other.weight": A}), "does not consist of pairs"),
        (({}, {f"{GATE}.lora_a": A[:, :32], f"{GATE}.lora_b": B}), f"fit its base in {GATE}"),
        (({}, {"blk.9.x.lora_a": A, "blk.9.x.lora_b": B}), "fit its base in blk.9.x"),
        (({}, None, "qwen2"), "trained over a qwen2, and this model is a llama"),
    ],
)
def test_what_does_not_belong_to_this_base(tmp_path: Path, base: Path, given, message: str):
    path = write_odd(tmp_path / "a.gguf", *given)
    assert message in refused(path, base)


def test_the_largest_rank_counts(tmp_path: Path, base: Path):
    up = "blk.1.ffn_up.weight"
    wide = {
        f"{up}.lora_a": np.ones((9, 64), np.float32),
        f"{up}.lora_b": np.ones((96, 9), np.float32),
    }
    assert check_lora(write_odd(tmp_path / "a.gguf", tensors=PAIR | wide), base) == 9
