"""`tenon train` killed at every stage with SIGKILL, and started again: the real starter."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.train_extra import torch  # noqa: F401 - skips this file where training is not set up

# isort: split
from lsp_server.engine.launcher import EngineOptions, find_or_start
from lsp_server.store.adapters import ActiveAdapter, AdapterRegistry
from lsp_server.store.locks import MachineLock, RunLock
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from lsp_server.store.runs import RunStore
from tests.dying_runs import APPEARED, COPIED, DEAD, NEVER
from tests.e2e.engine.conftest import end_engine
from tests.small_projects import NEWER, small_project
from tests.starter import install
from training.running.resuming import CHECKPOINT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")

CONFIG = """
[recipe]
rank = 4
max_steps = 3
step_samples = 2
micro_tokens = 512
measures = 3
checkpoint_seconds = 0
learning_rate = 2e-4
"""
WATCHER = """
import sys, time
from pathlib import Path
from lsp_server.store.paths import StorePaths
from training.watching.processes import Said, TrainProcess

def told(said):
    if isinstance(said, Said) and said.event.get("kind") == "step":
        run.suspend()
        print(run.holder.pid, flush=True)

run = TrainProcess(sys.argv[2:], StorePaths(Path(sys.argv[1])), told)
time.sleep(600)
"""
HERE = Path(__file__).parents[2]
Event = dict[str, Any]


@pytest.fixture
async def home(tmp_path: Path) -> Iterator[StorePaths]:
    store = ModelStore(StorePaths(tmp_path / "home"))
    store.choose(install(store).name)
    await find_or_start(store.paths, EngineOptions(context=512, threads=1))  # short prompts
    yield store.paths
    end_engine(store.paths)


@dataclass
class Stage:
    """A repository that is trained over and over in processes of their own."""

    root: Path
    home: StorePaths
    config: Path
    store: RepositoryStore = field(init=False)
    registry: AdapterRegistry = field(init=False)
    base: str = ""

    def __post_init__(self) -> None:
        self.config.write_text(CONFIG)
        self.store = RepositoryStore.of(self.home, self.root)
        self.registry = AdapterRegistry(self.store)

    def run(
        self, until: Callable[[Event], bool] = lambda _event: False, point: str = NEVER
    ) -> tuple[int, list[Event]]:
        """A run's exit status and what it said; it is killed at the first event that is meant."""
        events: list[Event] = []
        with subprocess.Popen(
            self.command(point), stdout=subprocess.PIPE, text=True, env=self.environment, cwd=HERE
        ) as process:
            for line in process.stdout:
                events.append(json.loads(line))
                if until(events[-1]):
                    process.send_signal(signal.SIGKILL)
                    break
        return process.returncode, events

    def command(self, point: str = NEVER) -> list[str]:
        return [
            sys.executable, "-m", "tests.dying_runs", point, str(self.root),
            "--config", str(self.config), "--gate-seconds", "60", "--events",
        ]  # fmt: skip

    @property
    def environment(self) -> dict[str, str]:
        ours = {"TENON_HOME": str(self.home.root), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE)}
        return {**os.environ, **ours}

    def active(self) -> ActiveAdapter:
        found = self.registry.active(self.base or self.registry.all()[0].base)
        assert found is not None
        return found

    def assert_untouched(self, served: ActiveAdapter, adapters: int) -> None:
        """What served serves, there are so many whole adapters, and nobody holds a lock."""
        assert self.active() == served
        assert len(self.registry.all()) == adapters
        with RunLock(self.store), MachineLock(self.home, ""):
            pass


def stage(name: str) -> Callable[[Event], bool]:
    return lambda event: event.get("stage") == name


def kind(name: str, least: int = 0) -> Callable[[Event], bool]:
    return lambda event: event["kind"] == name and event.get("step", least) >= least


def steps(events: list[Event]) -> list[int]:
    return [event["step"] for event in events if event["kind"] == "step"]


def test_a_run_is_killed_at_every_stage_and_goes_on(home: StorePaths, tmp_path: Path):
    project = small_project(tmp_path / "shelf", NEWER[4:])
    run = Stage(project.root, home, tmp_path / "train.toml")
    status, events = run.run()
    assert (status, events[-1]["kind"], events[-1]["promoted"]) == (0, "outcome", True)
    served = run.active()
    assert served.adapter.started_from is None

    def killed(until: Callable[[Event], bool]) -> list[Event]:
        status, events = run.run(until)
        assert status == -signal.SIGKILL
        run.assert_untouched(served, 1)
        return events

    killed(stage("reading files"))
    # What was told was saved.
    assert steps(killed(kind("step", 2))) == [1, 2]
    assert steps(killed(stage("exporting"))) == [3]
    assert steps(killed(lambda event: event["kind"] == "judging")) == []
    status, events = run.run(point=COPIED)
    assert (status, steps(events)) == (DEAD, [])
    run.assert_untouched(served, 1)
    assert list(run.store.adapters.glob(".publishing-*"))
    status, events = run.run(point=APPEARED)
    assert (status, steps(events)) == (DEAD, [])
    run.assert_untouched(served, 2)
    assert not list(run.store.adapters.glob(".publishing-*"))

    status, events = run.run()
    assert (status, steps(events)) == (0, [])
    now = run.active()
    assert now.adapter.id == events[-1]["adapter"] != served.adapter.id
    assert now.adapter.started_from == served.adapter.id
    assert len(run.registry.all()) == 2
    runs = RunStore(run.store).all()
    assert len(runs) == 8
    assert not [it for it in runs if it.checkpoints.exists() or it.candidate.exists()]


def states(pid: int) -> list[str]:
    """Of all threads: one by one they come to a stop."""
    files = Path(f"/proc/{pid}/task").glob("*/stat")
    return [it.read_text().rpartition(")")[2].split()[0] for it in files]


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_run_that_stood_still_when_its_watcher_was_killed_goes_on_in_the_next_one(
    home: StorePaths, tmp_path: Path
):
    project = small_project(tmp_path / "shelf", NEWER[4:])
    run = Stage(project.root, home, tmp_path / "train.toml")
    with subprocess.Popen(
        [sys.executable, "-c", WATCHER, str(home.root), *run.command()],
        stdout=subprocess.PIPE, text=True, env=run.environment, start_new_session=True,
    ) as watcher:  # fmt: skip
        suspended = psutil.Process(int(watcher.stdout.readline()))
        while not all(state == "T" for state in states(suspended.pid)):
            time.sleep(0.05)
        watcher.kill()
    began = time.monotonic()
    while suspended.is_running() and (status := suspended.status()) != psutil.STATUS_ZOMBIE:
        waited = time.monotonic() - began
        assert waited < 10 or status != psutil.STATUS_STOPPED, "it stands still for ever"
        assert waited < 120, "it goes on for ever"
        time.sleep(0.05)
    with RunLock(run.store), MachineLock(home, ""):
        [left] = RunStore(run.store).all()
    assert (left.checkpoints / CHECKPOINT).is_file()
    assert run.registry.all() == []
    status, events = run.run()
    assert status == 0
    assert 1 not in steps(events)
