"""`tenon train` as several processes: one leads, the others only compute; the real starter."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lsp_server.engine.launcher import EngineOptions, find_or_start
from lsp_server.store.adapters import AdapterRegistry
from lsp_server.store.locks import RunLock
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from lsp_server.store.runs import RunStore
from tests.e2e.engine.conftest import end_engine
from tests.small_projects import NEWER, small_project
from tests.starter import install
from tests.train_extra import torch  # noqa: F401 - skips this file where training is not set up

CONFIG = """
[recipe]
rank = 4
max_steps = 2
step_samples = 2
micro_tokens = 512
measures = 1
learning_rate = 2e-4
"""
# `accelerate launch` starts processes for GPUs only; on a CPU they are torch's launcher's.
TOGETHER = (
    "torch.distributed.run", "--nproc-per-node=2", "--rdzv-backend=c10d",
    "--rdzv-endpoint=localhost:0",
)  # fmt: skip
ALONE = ("accelerate.commands.launch", "--cpu", "--num_processes=2", "--quiet")
HERE = Path(__file__).parents[2]


@pytest.fixture
async def home(tmp_path):
    store = ModelStore(StorePaths(tmp_path / "home"))
    store.choose(install(store).name)
    await find_or_start(store.paths, EngineOptions(context=512, threads=1))  # short prompts
    yield store.paths
    end_engine(store.paths)


def launch(home, launcher, root, *options):
    """What a launcher's processes said, and how it ended."""
    command = [
        sys.executable, "-m", *launcher, "-m", "tests.dying_runs", "never", root,
        "--gate-seconds", "2", "--json", *options,
    ]  # fmt: skip
    environment = {**os.environ, "TENON_HOME": str(home.root), "ACCELERATE_USE_CPU": "true"}
    return subprocess.run(
        command, env=environment | {"OMP_NUM_THREADS": "1"}, cwd=HERE, timeout=200, check=False,
        capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("launcher", [TOGETHER, ALONE], ids=["torchrun", "accelerate"])
def test_one_run_whatever_starts_it(home, tmp_path, launcher):
    project = small_project(tmp_path / "shelf", NEWER[4:])
    (tmp_path / "train.toml").write_text(CONFIG)
    done = launch(home, launcher, project.root, "--config", tmp_path / "train.toml")
    assert done.returncode == 0, done.stderr[-3_000:]
    outcome = json.loads(done.stdout)  # of the one that leads
    store = RepositoryStore.of(home, project.root)
    assert [it.id for it in AdapterRegistry(store).all()] == [outcome["adapter"]]
    [run] = RunStore(store).all()
    steps = [event["step"] for event in run.read_events() if event["kind"] == "step"]
    assert steps == [2]
    assert not run.checkpoints.exists()


def test_a_repository_that_is_being_trained_is_told_of_once(home, tmp_path):
    project = small_project(tmp_path / "shelf", NEWER[4:])
    store = RepositoryStore.of(home, project.root)
    with RunLock(store):
        done = launch(home, TOGETHER, project.root)
    assert done.returncode != 0
    assert done.stderr.count("is being trained") == 1
    assert RunStore(store).all() == []
