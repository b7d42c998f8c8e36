"""Adapters for tests: their facts, published quickly, or as real LoRAs over an installed model."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from lsp_server.store.adapters import AdapterRegistry, StoredAdapter
from lsp_server.store.adapters.manifest import AdapterFacts, GateSummary
from lsp_server.store.manifest import InstalledModel
from tests.loras import write_lora

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
BASE = "b" * 64
FACTS = AdapterFacts(
    repository="app",
    commit="c0ffee",
    base=BASE,
    base_name="tenon-starter",
    fim_format="tenon-starter",
    recipe={"method": "lora", "rank": 8},
    data_sha256="d" * 64,
    rank=8,
    scale=0.75,
    verdict="promoted",
    gate=GateSummary(gain=0.08, lower=0.05, spans=214, reason="better"),
)
REJECTED = msgspec.structs.replace(FACTS, verdict="rejected")


def make_candidate(folder: Path, content: bytes = b"GGUF one") -> Path:
    (folder / "peft").mkdir(parents=True)
    (folder / "adapter.gguf").write_bytes(content)
    (folder / "gate.json").write_text("{}", "utf-8")
    (folder / "peft" / "a.json").write_text("{}", "utf-8")
    return folder


def publish(registry: AdapterRegistry, number: int, facts: AdapterFacts = FACTS) -> StoredAdapter:
    """An adapter whose file is of a few bytes."""
    folder = registry.repository.folder / f"candidate-{number}"
    make_candidate(folder, f"GGUF {number}".encode())
    return registry.publish(folder, facts, NOON + timedelta(minutes=number))


def publish_lora(
    registry: AdapterRegistry, model: InstalledModel, seed: int, **options: object
) -> StoredAdapter:
    """A random LoRA over a model; ``options`` are :func:`tests.loras.write_lora`'s."""
    folder = make_candidate(registry.repository.folder / f"candidate-{seed}")
    lora = {"row_ids": (), "rank": 4, "strength": 0.05} | options
    write_lora(folder / "adapter.gguf", model.path, seed=seed, **lora)
    facts = msgspec.structs.replace(
        FACTS, base=model.identity, base_name=model.name, fim_format=model.fim, rank=lora["rank"]
    )
    return registry.publish(folder, facts, NOON + timedelta(minutes=seed))
