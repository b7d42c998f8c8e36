"""Real engines on a real model."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from gguf import GGUFWriter

from lsp_server.engine.client import HttpEngine
from lsp_server.engine.launcher import EngineOptions, RunningEngine, find, find_or_start
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
from tests.starter import PLAIN, install

LAYERS, EMBEDDING, FEED_FORWARD = 30, 576, 1536
"""That model's shape."""


def make_home(root: Path) -> StorePaths:
    """A Tenon home that serves the plain model."""
    store = ModelStore(StorePaths(root))
    store.choose(install(store, PLAIN).name)
    return store.paths


def end_engine(paths: StorePaths) -> None:
    """End the engine of a home, whatever state it is in."""
    running = find(paths)
    if running and running.pid:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(running.pid)
            process.kill()
            process.wait(10)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StorePaths]:
    """A home of this test's own; what runs in it ends with the test."""
    paths = make_home(tmp_path / "home of Zoë")
    monkeypatch.setenv("TENON_HOME", str(paths.root))
    yield paths
    end_engine(paths)


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorePaths]:
    """A home whose engine the tests of one module share."""
    paths = make_home(tmp_path_factory.mktemp("shared") / "home")
    yield paths
    end_engine(paths)


@pytest.fixture
async def running(shared_home: StorePaths) -> RunningEngine:
    return await find_or_start(shared_home, EngineOptions(context=1024))


@pytest.fixture
async def engine(running: RunningEngine) -> AsyncIterator[HttpEngine]:
    client = running.connect()
    yield client
    await client.aclose()


@pytest.fixture
async def http(running: RunningEngine) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {running.token}"}
    async with httpx.AsyncClient(base_url=running.url, headers=headers, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def adapter_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Two LoRA files over it, random but strong enough to change every answer."""
    folder = tmp_path_factory.mktemp("adapters")
    return tuple(_write_adapter(folder / f"{seed}.gguf", seed) for seed in (1, 2))


def _write_adapter(path: Path, seed: int) -> Path:
    random = np.random.default_rng(seed)
    writer = GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 0.0)
    for layer in range(LAYERS):
        a = random.normal(0, 0.15, (4, FEED_FORWARD)).astype(np.float32)
        b = random.normal(0, 0.15, (EMBEDDING, 4)).astype(np.float32)
        writer.add_tensor(f"blk.{layer}.ffn_down.weight.lora_a", a)
        writer.add_tensor(f"blk.{layer}.ffn_down.weight.lora_b", b)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
