"""Base and adapter as one file: another model, which anybody can run."""

import errno
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader
from gguf.quants import dequantize

from lsp_server.errors import AdapterError, CorruptAdapterError
from lsp_server.store.adapters import AdapterRegistry, deployment
from lsp_server.store.adapters.deployment import deploy, own_type
from lsp_server.store.manifest import InstalledModel
from lsp_server.store.models import ModelStore
from lsp_server.store.repositories import RepositoryStore
from tests.adapters import publish_lora
from tests.tiny_llama import write_llama


@pytest.fixture
def model(store: ModelStore, tmp_path: Path) -> InstalledModel:
    file = write_llama(tmp_path / "tiny.gguf", kind="F16")
    return store.import_file(file, "tiny", "tenon-starter")


@pytest.fixture
def registry(store: ModelStore, tmp_path: Path) -> AdapterRegistry:
    return AdapterRegistry(RepositoryStore.of(store.paths, tmp_path / "app"))


def weights(path: Path) -> dict[str, np.ndarray]:
    return {
        entry.name: dequantize(entry.data, entry.tensor_type) for entry in GGUFReader(path).tensors
    }


def test_the_adapter_is_in_it_at_its_scale(
    registry: AdapterRegistry, model: InstalledModel, store: ModelStore, tmp_path: Path
):
    adapter = publish_lora(registry, model, 1)
    output = tmp_path / "all.gguf"
    assert own_type(model.path) == "F16"
    assert deploy(model, adapter, 0.5, output) == "F16"
    name = "blk.1.ffn_down.weight"
    lora = weights(adapter.path)
    expected = weights(model.path)[name] + 0.5 * lora[f"{name}.lora_b"] @ lora[f"{name}.lora_a"]
    assert np.allclose(weights(output)[name], expected, atol=2e-3)
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.endswith(".tmp")] == []
    # It is a model of its own, that adapters of its base do not belong to.
    taken = store.import_file(output, "whole")
    assert taken.fim == "tenon-starter"
    assert taken.identity not in {model.identity, taken.sha256}
    assert deploy(model, adapter, 1.0, output, kind="Q4_0") == "Q4_0"
    assert output.stat().st_size < model.size / 1.5


def test_a_full_disk_leaves_what_was_there(
    registry: AdapterRegistry,
    model: InstalledModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    adapter, output = publish_lora(registry, model, 1), tmp_path / "all.gguf"
    output.write_bytes(b"before")

    def full(*_arguments: object, **_named: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(deployment, "merge", full)
    with pytest.raises(AdapterError, match="free about"):
        deploy(model, adapter, 1.0, output)
    assert output.read_bytes() == b"before"


def test_a_damaged_adapter_or_one_of_another_shape(
    registry: AdapterRegistry, model: InstalledModel, store: ModelStore, tmp_path: Path
):
    adapter = publish_lora(registry, model, 1)
    adapter.path.write_bytes(adapter.path.read_bytes()[:-10])
    with pytest.raises(CorruptAdapterError):
        deploy(model, adapter, 1.0, tmp_path / "x.gguf")
    other = store.import_file(tmp_path / "tiny.gguf", "again", "tenon-starter")
    fits = publish_lora(registry, other, 2)
    lacking = write_llama(tmp_path / "lacking.gguf", without="blk.1.ffn_down.weight")
    with pytest.raises(CorruptAdapterError, match=r"does not fit its base in blk\.1\.ffn_down"):
        deploy(
            store.import_file(lacking, "lacking", "tenon-starter"), fits, 1.0, tmp_path / "x.gguf"
        )
    assert not (tmp_path / "x.gguf").exists()
