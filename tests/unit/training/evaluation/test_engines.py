"""The home of a private engine: gone whatever ends the evaluation, and no other one's."""

import asyncio
from pathlib import Path

import pytest
from filelock import FileLock

from lsp_server.engine.launcher import EngineOptions, RunningEngine
from lsp_server.errors import EngineStartError, ModelError
from lsp_server.store.catalogue import STARTER, load_catalogue
from lsp_server.store.paths import StorePaths
from tests.gguf_files import write_gguf
from training.evaluation import engines
from training.evaluation.engines import private_engine, shared_engine

RUNNING = RunningEngine("http://127.0.0.1:9", "token")


@pytest.fixture
def paths(tmp_path: Path) -> StorePaths:
    return StorePaths(tmp_path / "home")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_gguf(tmp_path / "m.gguf")


def homes(paths: StorePaths) -> list[Path]:
    return sorted(paths.root.glob("evaluation-*"))


async def enter(file: Path, paths: StorePaths) -> None:
    async with private_engine(file, None, paths, EngineOptions()):
        pass


async def test_what_a_killed_evaluation_left_goes_with_the_next_one(paths: StorePaths, tmp_path):
    left = paths.root / "evaluation-left"
    orphaned = paths.root / "evaluation-orphaned"
    for folder in (left, orphaned):
        (folder / "models").mkdir(parents=True)
    file = paths.root / "evaluation-notes.txt"
    file.write_text("not ours")
    with FileLock(StorePaths(orphaned).engine_lock), pytest.raises(ModelError):
        await enter(tmp_path / "nowhere.gguf", paths)
    assert homes(paths) == [file, orphaned]


async def test_an_evaluation_whose_engine_does_not_run_yet_keeps_its_home(
    paths: StorePaths, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    starting = asyncio.Event()

    async def start(*_what):
        starting.set()
        await asyncio.sleep(60)

    monkeypatch.setattr(engines, "find_or_start", start)
    first = asyncio.create_task(enter(file, paths))
    await starting.wait()
    (home,) = homes(paths)
    with pytest.raises(ModelError):
        await enter(tmp_path / "nowhere.gguf", paths)
    assert homes(paths) == [home]
    first.cancel()
    await asyncio.sleep(0)
    first.cancel()  # who asks twice does not wait for the start
    with pytest.raises(asyncio.CancelledError):
        await first
    assert homes(paths) == []


async def test_who_ends_it_while_the_engine_starts_leaves_no_engine(
    paths: StorePaths, file: Path, monkeypatch: pytest.MonkeyPatch
):
    starting, started, stopped = asyncio.Event(), asyncio.Event(), []

    async def start(*_what):
        starting.set()
        await started.wait()
        return RUNNING

    async def stop(running, _paths):
        stopped.append(running)

    monkeypatch.setattr(engines, "find_or_start", start)
    monkeypatch.setattr(engines, "stop", stop)
    task = asyncio.create_task(enter(file, paths))
    await starting.wait()
    task.cancel()
    await asyncio.sleep(0)
    started.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stopped == [RUNNING]
    assert homes(paths) == []


async def test_the_log_of_a_failed_start_stays(
    paths: StorePaths, file: Path, monkeypatch: pytest.MonkeyPatch
):
    async def start(own, _options):
        log = own.logs / "engine.log"
        log.parent.mkdir()
        log.write_text("GGML_ASSERT(n > 0) failed\n")
        raise EngineStartError(f"it ended at once; its log is {log}.")

    monkeypatch.setattr(engines, "find_or_start", start)
    kept = paths.logs / "evaluation.log"
    with pytest.raises(EngineStartError) as failed:
        await enter(file, paths)
    assert str(failed.value) == f"it ended at once; its log is {kept}."
    assert "GGML_ASSERT" in kept.read_text()
    assert homes(paths) == []


async def test_a_failed_start_without_a_log_is_told_as_it_is(
    paths: StorePaths, file: Path, monkeypatch: pytest.MonkeyPatch
):
    async def start(*_what):
        raise EngineStartError("no memory")

    monkeypatch.setattr(engines, "find_or_start", start)
    with pytest.raises(EngineStartError, match=r"^no memory$"):
        await enter(file, paths)


async def test_what_is_brought_for_the_first_run_is_told(
    paths: StorePaths, monkeypatch: pytest.MonkeyPatch
):
    starter = load_catalogue()[STARTER]

    async def start(*_what):
        return RUNNING

    monkeypatch.setattr(engines, "find_or_start", start)
    monkeypatch.setattr(engines, "ensure_starter", lambda _store, begun: begun(starter))
    switched = []
    monkeypatch.setattr(
        engines,
        "switch_model",
        lambda _paths, name, *, instead_of: switched.append((name, instead_of)),
    )
    told = []
    async with shared_engine(paths, told.append):
        assert told == [starter]
        assert switched == [(STARTER, STARTER)]
