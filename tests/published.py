"""An adapter as a run would leave it behind: random, and found better by a gate."""

from pathlib import Path

from lsp_server.store.adapters import AdapterRegistry, StoredAdapter
from lsp_server.store.adapters.manifest import AdapterFacts, GateSummary
from lsp_server.store.catalogue import STARTER
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from tests.loras import write_lora


def published(home: Path, root: Path, seed: int) -> tuple[AdapterRegistry, StoredAdapter]:
    """Published for the repository at ``root``, and not active."""
    model = ModelStore(StorePaths(home)).get(STARTER)
    candidate = root.with_name(f"candidate {seed}")
    candidate.mkdir()
    write_lora(candidate / "adapter.gguf", model.path, seed=seed, row_ids=(), rank=4, strength=0.01)
    registry = AdapterRegistry(RepositoryStore.of(StorePaths(home), root))
    facts = AdapterFacts(
        repository=root.name,
        commit=None,
        base=model.identity,
        base_name=model.name,
        fim_format="tenon-starter",
        recipe={},
        data_sha256="d" * 64,
        rank=4,
        scale=0.75,
        verdict="promoted",
        gate=GateSummary(gain=0.1, lower=0.05, spans=200, reason="better"),
    )
    return registry, registry.publish(candidate, facts)
