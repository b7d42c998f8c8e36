"""What is kept, and what a user says about it: pins, tags, names."""

from pathlib import Path

import msgspec
import pytest

from lsp_server.errors import AdapterError, SettingsError, UnknownAdapterError
from lsp_server.store.adapters import AdapterRegistry
from lsp_server.store.adapters.retention import KEPT_PROMOTED, Retention
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from tests.adapters import FACTS, REJECTED, publish


@pytest.fixture
def registry(tmp_path: Path) -> AdapterRegistry:
    root = tmp_path / "app"
    root.mkdir()
    return AdapterRegistry(RepositoryStore.of(StorePaths(tmp_path / "home"), root))


def keep(registry: AdapterRegistry, text: str) -> None:
    (registry.repository.root / "tenon.toml").write_text(f"[adapters]\nkeep = {text}\n", "utf-8")


def test_the_newest_are_kept_and_what_is_in_use(registry: AdapterRegistry):
    keep(registry, "2")
    first, before, active = (publish(registry, number) for number in range(3))
    assert registry.all() == [active, before]  # nothing was in use yet
    with pytest.raises(UnknownAdapterError):
        registry.read(first.id)
    registry.promote(before.id, 1.0)
    registry.promote(active.id, 1.0)
    imported = publish(registry, 3, msgspec.structs.replace(FACTS, verdict="imported"))
    later = [publish(registry, number) for number in range(4, 8)]
    assert registry.all() == [later[3], later[2], imported, active, before]
    assert registry.rollback().adapter == before


def test_a_pinned_one_is_kept(registry: AdapterRegistry):
    keep(registry, "1")
    pinned, lost = publish(registry, 0), publish(registry, 1, REJECTED)
    registry.pin(pinned.id)
    registry.pin(lost.id)
    later = [publish(registry, number) for number in range(2, 5)]
    more = [publish(registry, number, REJECTED) for number in range(5, 9)]
    assert registry.all() == [*more[:0:-1], later[2], lost, pinned]
    with pytest.raises(AdapterError, match="unpin"):
        registry.remove(pinned.id)
    registry.pin(pinned.id, pinned=False)
    publish(registry, 10)
    with pytest.raises(UnknownAdapterError):
        registry.read(pinned.id)


def test_many_are_kept_unless_a_team_says_otherwise(registry: AdapterRegistry):
    adapters = [publish(registry, number) for number in range(KEPT_PROMOTED + 2)]
    assert registry.all() == adapters[:1:-1]


@pytest.mark.parametrize("text", ["0", '"many"', "3\nkepp = 1", "["])
def test_nothing_is_removed_by_rules_that_nobody_understands(registry: AdapterRegistry, text: str):
    keep(registry, text)
    with pytest.raises(SettingsError, match=r"tenon\.toml"):
        Retention.of(registry.repository.root)
    adapters = [publish(registry, number) for number in range(KEPT_PROMOTED + 2)]
    assert registry.all() == adapters[::-1]


def test_what_serves_is_not_removed(registry: AdapterRegistry):
    one, other = publish(registry, 0), publish(registry, 1)
    registry.activate(one.id)
    with pytest.raises(AdapterError, match="rollback"):
        registry.remove(one.id)
    registry.remove(other.id)
    assert registry.all() == [one]
    left = {entry.name for entry in registry.repository.adapters.iterdir()}
    assert left - {".lock"} == {one.id}


def test_an_adapter_goes_by_many_names(registry: AdapterRegistry):
    one = publish(registry, 0, msgspec.structs.replace(FACTS, commit="abcdef0123"))
    other = publish(registry, 1, msgspec.structs.replace(FACTS, commit="abcdef0123"))
    registry.tag(one.id, "v1.0")
    assert registry.find("v1.0") == one
    assert (
        registry.find(one.id) == registry.find(one.sha256[:8]) == registry.find(one.id[:14]) == one
    )
    assert registry.find("abcdef0") == other  # the newest of that commit
    with pytest.raises(UnknownAdapterError, match="or"):
        registry.find(one.id[:8])
    for name in ("", "v1", "nothing", "../x"):
        with pytest.raises(UnknownAdapterError):
            registry.find(name)


def test_a_tag_is_of_one_adapter(registry: AdapterRegistry):
    one, other = publish(registry, 0), publish(registry, 1)
    registry.pin(one.id)
    registry.tag(one.id, "good")
    registry.tag(one.id, "v1")
    registry.tag(other.id, "good")
    assert registry.find("good") == other
    assert registry.marks(one).tags == ("v1",)
    assert registry.marks(one).pinned
    registry.tag(None, "good")
    with pytest.raises(UnknownAdapterError):
        registry.find("good")


@pytest.mark.parametrize("tag", ["", "none", "auto", "-x", "a b", "a/b", "x" * 65])
def test_what_cannot_be_a_tag(registry: AdapterRegistry, tag: str):
    adapter = publish(registry, 0)
    with pytest.raises(AdapterError, match="cannot be a tag"):
        registry.tag(adapter.id, tag)
