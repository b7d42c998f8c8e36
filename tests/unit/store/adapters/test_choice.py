"""Who chose what serves, and the way back."""

import json
from pathlib import Path

import msgspec
import pytest

from lsp_server.errors import AdapterError, UnknownAdapterError
from lsp_server.store.adapters import AdapterRegistry
from lsp_server.store.adapters.choice import HISTORY
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from tests.adapters import BASE, FACTS, REJECTED, publish


@pytest.fixture
def registry(tmp_path: Path) -> AdapterRegistry:
    return AdapterRegistry(RepositoryStore.of(StorePaths(tmp_path / "home"), tmp_path / "app"))


def serving(registry: AdapterRegistry) -> str | None:
    active = registry.active(BASE)
    return active.adapter.id if active else None


def test_what_was_promoted_last_serves(registry: AdapterRegistry):
    for number in range(2):
        adapter = publish(registry, number)
        assert registry.promote(adapter.id, 0.5)
        assert serving(registry) == adapter.id
    assert not registry.choice().manual


def test_a_users_choice_is_not_overridden_by_a_promotion(registry: AdapterRegistry):
    old, new = publish(registry, 0), publish(registry, 1)
    registry.activate(old.id)
    assert registry.active(BASE).scale == FACTS.scale
    assert not registry.promote(new.id, 1.0)
    assert serving(registry) == old.id
    assert registry.automatic(BASE).adapter == new
    assert serving(registry) == new.id
    assert registry.promote(old.id, 1.0)


def test_none_is_a_choice_that_stands(registry: AdapterRegistry):
    registry.deactivate()
    adapter = publish(registry, 0)
    assert not registry.promote(adapter.id, 1.0)
    assert serving(registry) is None
    registry.automatic()
    assert serving(registry) == adapter.id


def test_automatic_takes_what_was_promoted_over_the_base_that_serves(registry: AdapterRegistry):
    here = publish(registry, 0)
    publish(registry, 1, msgspec.structs.replace(FACTS, base="a" * 64))
    publish(registry, 2, REJECTED)
    publish(registry, 3, msgspec.structs.replace(FACTS, verdict="imported"))
    publish(registry, 4, msgspec.structs.replace(FACTS, verdict="of a newer Tenon"))
    assert registry.automatic(BASE).adapter == here


def test_automatic_with_nothing_promoted_is_the_base(registry: AdapterRegistry):
    lost = publish(registry, 0, REJECTED)
    registry.activate(lost.id, force=True)
    assert registry.automatic(BASE) is None
    assert registry.choice() is None
    assert registry.promote(publish(registry, 1).id, 1.0)


def test_a_rejected_adapter_serves_by_force(registry: AdapterRegistry):
    lost = publish(registry, 0, REJECTED)
    with pytest.raises(AdapterError, match="--force"):
        registry.activate(lost.id)
    registry.activate(lost.id, force=True)
    assert serving(registry) == lost.id


def test_rollback_goes_back_step_by_step_to_the_base(registry: AdapterRegistry):
    adapters = [publish(registry, number) for number in range(3)]
    for adapter, scale in zip(adapters, (0.25, 0.5, 1.0), strict=True):
        registry.promote(adapter.id, scale)
    back = registry.rollback(base=BASE)
    assert (back.adapter, back.scale) == (adapters[1], 0.5)
    back = registry.rollback(base=BASE)
    assert (back.adapter, back.scale) == (adapters[0], 0.25)
    assert registry.rollback(base=BASE) is None
    with pytest.raises(AdapterError, match="nothing served before"):
        registry.rollback(base=BASE)
    # The next one that proves better serves all the same.
    assert registry.promote(publish(registry, 5).id, 1.0)


def test_rollback_restores_whose_choice_it_was(registry: AdapterRegistry):
    first, second, third = (publish(registry, number) for number in range(3))
    registry.activate(first.id)
    registry.automatic(BASE)
    assert serving(registry) == third.id
    registry.rollback()
    assert serving(registry) == first.id
    assert registry.choice().manual
    assert not registry.promote(second.id, 1.0)


def test_rollback_to_any(registry: AdapterRegistry):
    first, second, third = (publish(registry, number) for number in range(3))
    for adapter in (first, second, third):
        registry.promote(adapter.id, 1.0)
    assert registry.rollback(first.id).adapter == first
    assert registry.rollback() is None  # what served before the first
    assert registry.rollback(third.id).adapter == third
    with pytest.raises(UnknownAdapterError):
        registry.rollback("20200102T120000Z-00000000")
    assert serving(registry) == third.id


def test_rollback_passes_over_what_cannot_serve(registry: AdapterRegistry):
    good = publish(registry, 0)
    elsewhere = publish(registry, 1, msgspec.structs.replace(FACTS, base="a" * 64))
    damaged, gone, last = (publish(registry, number) for number in range(2, 5))
    for adapter in (good, elsewhere, damaged, gone, last):
        registry.promote(adapter.id, 1.0)
    registry.remove(gone.id)
    damaged.path.write_bytes(b"GGUF x")
    assert registry.rollback(base=BASE).adapter == good


def test_a_choice_of_an_older_tenon_can_be_rolled_back(registry: AdapterRegistry):
    old, new = publish(registry, 0), publish(registry, 1)
    told = {"adapter_id": new.id, "scale": 0.5}
    registry.repository.active_json.write_text(json.dumps(told), "utf-8")
    assert serving(registry) == new.id
    assert registry.rollback(base=BASE).adapter == old
    assert registry.rollback(base=BASE) is None


def test_a_choice_of_a_newer_tenon_is_understood(registry: AdapterRegistry):
    adapter = publish(registry, 0)
    told = {"adapter_id": adapter.id, "scale": 0.5, "manual": True, "mood": {"good": [1]}}
    told["history"] = [{"adapter_id": None, "since": "noon"}]
    registry.repository.active_json.write_text(json.dumps(told), "utf-8")
    assert serving(registry) == adapter.id
    assert registry.rollback() is None


def test_the_history_does_not_grow_for_ever(registry: AdapterRegistry):
    one, other = publish(registry, 0), publish(registry, 1)
    for _ in range(HISTORY):
        registry.promote(one.id, 1.0)
        registry.promote(one.id, 0.5)  # the same adapter again is no step
        registry.promote(other.id, 1.0)
    assert len(registry.choice().history) == HISTORY


def test_a_damaged_choice_is_repaired_by_the_next(registry: AdapterRegistry):
    adapter = publish(registry, 0)
    registry.repository.active_json.write_bytes(b"\xff{")
    with pytest.raises(AdapterError, match="remove it"):
        registry.choice()
    assert registry.promote(adapter.id, 1.0)
    assert serving(registry) == adapter.id
