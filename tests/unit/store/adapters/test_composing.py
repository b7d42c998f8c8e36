"""A sum of adapters is the sum of their products, weight by weight."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from gguf import GGUFReader, GGUFWriter
from gguf.quants import dequantize

from lsp_server.errors import AdapterError, CorruptAdapterError, WrongBaseError
from lsp_server.store.adapters import AdapterRegistry
from lsp_server.store.adapters.composing import Share, compose, write_sum
from lsp_server.store.adapters.lora import check_lora
from lsp_server.store.manifest import InstalledModel
from tests.adapters import FACTS, publish, publish_lora

WEIGHT = "blk.0.ffn_up.weight"


def products(path: Path) -> dict[str, np.ndarray]:
    tensors = {
        entry.name: dequantize(entry.data, entry.tensor_type) for entry in GGUFReader(path).tensors
    }
    names = {name.rpartition(".")[0] for name in tensors}
    return {
        name: tensors[f"{name}.lora_b"].astype(np.float64)
        @ tensors[f"{name}.lora_a"].astype(np.float64)
        for name in names
    }


def test_the_sum_is_exact_whatever_the_ranks_and_weights(
    registry: AdapterRegistry, model: InstalledModel
):
    one = publish_lora(registry, model, 1, rank=4)
    other = publish_lora(registry, model, 2, rank=6, exact=True)
    made = compose(registry, [Share(one, 0.3), Share(other, -1.5)])
    parts, found = [products(adapter.path) for adapter in (one, other)], products(made.path)
    assert set(found) == set(parts[0])
    for name, values in found.items():
        expected = 0.3 * parts[0][name] - 1.5 * parts[1][name]
        assert np.allclose(values, expected, rtol=0, atol=1e-6 * np.abs(expected).max()), name
    assert (made.verdict, made.rank, made.scale, made.base) == ("composed", 10, 1.0, model.identity)
    assert [(part.adapter_id, part.scale) for part in made.parts] == [
        (one.id, 0.3),
        (other.id, -1.5),
    ]
    assert check_lora(made.path, model.path) == 10
    assert registry.active_id() is None
    assert registry.automatic(model.identity).adapter == other  # never the sum by itself
    assert registry.activate(made.id).scale == 1.0


def test_a_weight_that_only_one_part_changes(
    registry: AdapterRegistry, model: InstalledModel, tmp_path: Path
):
    one = publish_lora(registry, model, 1)
    narrow = tmp_path / "narrow.gguf"
    writer = GGUFWriter(narrow, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 0.0)
    writer.add_tensor(f"{WEIGHT}.lora_a", np.ones((1, 64), np.float32))
    writer.add_tensor(f"{WEIGHT}.lora_b", np.ones((96, 1), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    other = msgspec.structs.replace(one, path=narrow)
    assert write_sum([Share(one, 1.0), Share(other, 0.5)], tmp_path / "sum.gguf") == 5
    before, after = products(one.path), products(tmp_path / "sum.gguf")
    for name in before:
        added = 0.5 if name == WEIGHT else 0.0
        assert np.allclose(after[name], before[name] + added, atol=1e-6)


def test_what_loses_nothing_stays_small(
    registry: AdapterRegistry, model: InstalledModel, tmp_path: Path
):
    parts = [publish_lora(registry, model, seed) for seed in (1, 2)]
    write_sum([Share(part, 2.0) for part in parts], tmp_path / "double.gguf")
    write_sum([Share(part, 0.3) for part in parts], tmp_path / "third.gguf")
    kinds = {
        entry.tensor_type.name
        for entry in GGUFReader(tmp_path / "double.gguf").tensors
        if entry.name.endswith("_b")
    }
    assert kinds == {"F16"}
    assert (tmp_path / "double.gguf").stat().st_size < (tmp_path / "third.gguf").stat().st_size


def test_what_cannot_be_added_up(registry: AdapterRegistry, model: InstalledModel):
    one = publish_lora(registry, model, 1)
    elsewhere = publish(registry, 2, msgspec.structs.replace(FACTS, base="a" * 64))
    with pytest.raises(AdapterError, match="two adapters"):
        compose(registry, [Share(one, 1.0)])
    with pytest.raises(AdapterError, match="twice"):
        compose(registry, [Share(one, 1.0), Share(one, 0.5)])
    with pytest.raises(WrongBaseError, match="only adapters over one base"):
        compose(registry, [Share(one, 1.0), Share(elsewhere, 1.0)])
    with pytest.raises(AdapterError, match="leave it out"):
        compose(registry, [Share(one, 0.0), Share(elsewhere, 1.0)])
    rows = publish_lora(registry, model, 3, row_ids=(1, 2))
    with pytest.raises(CorruptAdapterError, match="embeddings"):
        compose(registry, [Share(one, 1.0), Share(rows, 1.0)])
    other = publish_lora(registry, model, 4)
    other.path.write_bytes(other.path.read_bytes()[:-100])
    with pytest.raises(CorruptAdapterError, match="not the file that was published"):
        compose(registry, [Share(one, 1.0), Share(other, 1.0)])
    assert len(registry.all()) == 4


def test_a_sum_with_a_rejected_part_serves_by_force_alone(
    registry: AdapterRegistry, model: InstalledModel
):
    one, other = (publish_lora(registry, model, seed) for seed in (1, 2))
    lost = msgspec.structs.replace(other, verdict="rejected")
    made = compose(registry, [Share(one, 1.0), replace(Share(other, 1.0), adapter=lost)])
    with pytest.raises(AdapterError, match="--force"):
        registry.activate(made.id)
