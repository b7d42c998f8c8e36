"""A tiny model in a store, and a repository's adapters beside it."""

from pathlib import Path

import pytest

from lsp_server.store.adapters import AdapterRegistry
from lsp_server.store.manifest import InstalledModel
from lsp_server.store.models import ModelStore
from lsp_server.store.repositories import RepositoryStore
from tests.tiny_llama import write_llama


@pytest.fixture
def model(store: ModelStore, tmp_path: Path) -> InstalledModel:
    return store.import_file(write_llama(tmp_path / "tiny.gguf"), "tiny", "tenon-starter")


@pytest.fixture
def registry(store: ModelStore, tmp_path: Path) -> AdapterRegistry:
    return AdapterRegistry(RepositoryStore.of(store.paths, tmp_path / "app"))
