"""A store of its own and a hub of its own for every test."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from lsp_server.store.catalogue import CatalogueEntry
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
from tests.gguf_files import write_gguf
from tests.hub import Hub, RunningHub


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(StorePaths(tmp_path / "Tenon data Ünï"))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with RunningHub() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.endpoint)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield running


@pytest.fixture
def served(hub: Hub, tmp_path: Path) -> CatalogueEntry:
    """A 24 MB model on the hub; several of the blocks of 10 MB in which the client writes."""
    file = write_gguf(tmp_path / "served.gguf", size=24_000_000)
    hub.files["acme/tiny", "tiny.gguf"] = file
    return CatalogueEntry(
        name="tiny",
        title="Tiny",
        license="Apache-2.0",
        params=1,
        fim="qwen2.5-coder",
        architecture="llama",
        hub_repo="acme/tiny",
        hub_file="tiny.gguf",
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        size=file.stat().st_size,
    )


@pytest.fixture
def qwen(tmp_path: Path) -> Path:
    return write_gguf(tmp_path / "My Qwen (v2).gguf", architecture="qwen2")
