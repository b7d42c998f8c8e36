"""What the served adapter makes of new code, asked of the real engine over the real starter."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("tokenizers", reason="needs what training needs: run `tenon setup train`")

from lsp_server.engine.client import HttpEngine
from lsp_server.engine.launcher import EngineOptions, find_or_start
from lsp_server.store.adapters import AdapterRegistry
from lsp_server.store.adapters.manifest import AdapterFacts, GateSummary, base_identity
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from tests.e2e.engine.conftest import end_engine
from tests.loras import write_lora
from tests.small_projects import source
from tests.starter import install
from training.evaluation.stretches import MOST
from training.gate.report import HOLES, STRETCHES, ArmFigures, GateReport, Limits, Sweep, arm_name
from training.watching.bursts import Changed
from training.watching.drift import FILES, measure
from training.watching.scanning import scan


@pytest.fixture
def home(tmp_path: Path) -> Iterator[StorePaths]:
    store = ModelStore(StorePaths(tmp_path / "home"))
    store.choose(install(store).name)
    yield store.paths
    end_engine(store.paths)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "shelf"
    made.mkdir()
    for name in ("prompt/window.py", "completion/cache.py"):
        (made / Path(name).name).write_text(source(name), encoding="utf-8")
    return made


@pytest.fixture
def candidate(tmp_path: Path) -> Path:
    made = tmp_path / "candidate"
    made.mkdir()
    return made


async def served(
    home: StorePaths, root: Path, engine: HttpEngine, folder: Path, asked: str = STRETCHES
) -> str:
    """An adapter that serves, with a gate's report; returns its id."""
    info = await engine.ask_info()
    model = ModelStore(home).get(info.model)
    shutil.copyfile(
        write_lora(folder.with_suffix(".gguf"), model.path, row_ids=(), rank=4, strength=0.08),
        folder / "adapter.gguf",
    )
    figures = ArmFigures(name=arm_name(1.0), scale=1.0, nll=1.25, general_nll=None)
    sweep = Sweep(
        spans=40, files=5, planned=40, general_spans=None, baseline="base", scale=1.0,
        arms=(figures,), limits=Limits(),
    )  # fmt: skip
    report = GateReport(
        verdict="promoted", reasons=("x",), sweep=sweep, answers=0, guards=(), asked=asked
    )
    (folder / "gate.json").write_bytes(msgspec.json.encode(report))
    facts = AdapterFacts(
        repository="shelf", commit=None, base=base_identity(ModelStore(home), info.model,
        info.sha256), base_name=info.model, fim_format=info.fim.name, recipe={}, data_sha256="",
        rank=2, scale=1.0, verdict="promoted",
        gate=GateSummary(gain=0.1, lower=0.05, spans=40, reason="x"),
    )  # fmt: skip
    registry = AdapterRegistry(RepositoryStore.of(home, root))
    adapter = registry.publish(folder, facts)
    registry.promote(adapter.id, 1.0)
    return adapter.id


async def test_new_code_is_scored_with_the_adapter_that_serves(home, root, candidate):
    assert await measure(root, home, seed=1) is None  # no engine runs, and none is begun
    engine = (await find_or_start(home, EngineOptions(context=512))).connect()
    try:
        adapter = await served(home, root, engine, candidate)
        registry = AdapterRegistry(RepositoryStore.of(home, root))
        assert await measure(root, home, seed=1) is None  # the engine does not have it
        await engine.have_adapter(adapter, registry.read(adapter).path, 1.0)
        assert await measure(root, home, seed=1) is None  # nothing is known to be new
        assert scan(root, RepositoryStore.of(home, root), Changed()) > 3
        scores = await measure(root, home, seed=1)
    finally:
        await engine.aclose()
    assert scores is not None
    assert (scores.adapter, scores.gate) == (adapter, 1.25)
    assert 3 <= len(scores.spans) <= FILES * MOST
    assert {file for file, _ in scores.spans} == {"window.py", "cache.py"}
    assert all(0 < nll < 30 for _, nll in scores.spans)


async def test_a_gate_that_asked_otherwise_is_no_measure(home, root, candidate):
    engine = (await find_or_start(home, EngineOptions(context=512))).connect()
    try:
        adapter = await served(home, root, engine, candidate, asked=HOLES)
        path = AdapterRegistry(RepositoryStore.of(home, root)).read(adapter).path
        await engine.have_adapter(adapter, path, 1.0)
        assert scan(root, RepositoryStore.of(home, root), Changed()) > 3
        assert await measure(root, home, seed=1) is None
    finally:
        await engine.aclose()
