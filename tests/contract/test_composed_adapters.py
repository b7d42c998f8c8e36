"""llama.cpp is the judge: a sum of adapters is what it computes with all of them at once, and a
base with an adapter in it is what it computes with both.
"""

from pathlib import Path

import numpy as np
import pytest

from lsp_server.store.adapters import AdapterRegistry
from lsp_server.store.adapters.composing import Share, compose
from lsp_server.store.adapters.deployment import deploy
from lsp_server.store.manifest import InstalledModel
from lsp_server.store.merging import merge
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from tests.adapters import publish_lora
from tests.starter import install
from tests.tiny_llama import TOKENS, composed_logits, write_llama
from tests.tiny_models import unpacked

IDS = [int(token) for token in np.random.default_rng(3).integers(11, len(TOKENS), 48)]


@pytest.fixture
def models(tmp_path: Path) -> ModelStore:
    return ModelStore(StorePaths(tmp_path / "home"))


@pytest.fixture
def registry(models: ModelStore, tmp_path: Path) -> AdapterRegistry:
    return AdapterRegistry(RepositoryStore.of(models.paths, tmp_path / "app"))


def tiny(models: ModelStore, folder: Path, kind: str) -> InstalledModel:
    file = write_llama(folder / "tiny.gguf", kind=kind)
    return models.import_file(file, "tiny", "tenon-starter")


def difference(found: np.ndarray, served: np.ndarray) -> float:
    """The largest of all tokens' root mean squares, as a share of the logits' spread."""
    return float(np.sqrt(((found - served) ** 2).mean(axis=-1)).max() / served.std())


@pytest.mark.parametrize(("kind", "limit"), [("F32", 0.0005), ("Q4_0", 0.02)])
def test_a_sum_is_all_of_its_parts_at_once(
    models: ModelStore, registry: AdapterRegistry, tmp_path: Path, kind: str, limit: float
):
    # Exact factors: llama.cpp rounds activations to 8 bits for an A of 8 bits, which a sum has not.
    # For Q4_0 it does so too, and the order of the very same adapters alone is 0.013.
    model = tiny(models, tmp_path, kind)
    parts = [
        publish_lora(registry, model, seed, rank=rank, exact=True)
        for seed, rank in ((1, 4), (2, 7), (3, 1))
    ]
    scales = (0.8, -0.5, 1.7)
    made = compose(registry, [Share(*share) for share in zip(parts, scales, strict=True)])
    plain = composed_logits(model.path, IDS)
    together = composed_logits(
        model.path, IDS, *zip((part.path for part in parts), scales, strict=True)
    )
    assert difference(plain, together) > 0.2
    assert difference(composed_logits(model.path, IDS, (made.path, 1.0)), together) < limit


@pytest.mark.parametrize("kind", ["F16", "Q8_0"])
def test_a_merged_model_is_base_and_adapter(
    models: ModelStore, registry: AdapterRegistry, tmp_path: Path, kind: str
):
    model = tiny(models, tmp_path, "F32")
    adapter = publish_lora(registry, model, 1, exact=True)
    deploy(model, adapter, 0.6, tmp_path / "merged.gguf", kind=kind)
    together = composed_logits(model.path, IDS, (adapter.path, 0.6))
    plain = composed_logits(model.path, IDS)
    assert difference(plain, together) > 0.2
    # What the type alone costs, of the base without any adapter.
    merge(model.path, None, tmp_path / "rewritten.gguf", kind, values={})
    cost = difference(composed_logits(tmp_path / "rewritten.gguf", IDS), plain)
    assert difference(composed_logits(tmp_path / "merged.gguf", IDS), together) < 1.5 * cost


def test_over_the_real_starter(models: ModelStore, registry: AdapterRegistry, tmp_path: Path):
    model = install(models)
    one, other = (
        publish_lora(registry, model, seed, strength=0.005, exact=True) for seed in (1, 2)
    )
    made = compose(registry, [Share(one, 1.0), Share(other, 0.5)])
    # Unpacked, as llama.cpp rounds activations to 8 bits on their way into Q4_0 weights.
    base = unpacked(model.path, tmp_path / "unpacked.gguf")
    tokens = IDS[:32]
    together = composed_logits(base, tokens, (one.path, 1.0), (other.path, 0.5))
    assert difference(composed_logits(base, tokens), together) > 0.1
    assert difference(composed_logits(base, tokens, (made.path, 1.0)), together) < 0.002
    deploy(model, made, 1.0, tmp_path / "merged.gguf", kind="F16")
    # Its embedding stays in 8 bits, and is the output too.
    merged = unpacked(tmp_path / "merged.gguf", tmp_path / "unpacked.gguf")
    assert difference(composed_logits(merged, tokens), together) < 0.01
