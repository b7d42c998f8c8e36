"""What becomes of a run whose watcher is killed with no chance to say anything: real processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from lsp_server.store.locks import MachineLock, RunLock

from .conftest import Bench, is_over, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no process groups")

WATCHER = """
import sys
from pathlib import Path
from lsp_server.store.paths import StorePaths
from lsp_server.trainer_messages import Schedule, Train
from training.watching.machine import MachineState
from training.watching.surroundings import Surroundings
from training.watching.watcher import Watcher

run, home, root, folder = sys.argv[1:]
at = Surroundings(
    Path(root), StorePaths(Path(home)), machine=MachineState, missing=tuple,
    command=lambda *_: [sys.executable, "-c", run, home, root, folder],
)
watcher = Watcher(at, lambda report: None)
watcher.inbox.put(Schedule(mode="manual"))
watcher.inbox.put(Train())
watcher.run()
"""
RUN = """
import signal, subprocess, sys, time
from pathlib import Path
from lsp_server.store.locks import MachineLock, RunLock
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from training.signals import to_be_heard

heard = []
for number in to_be_heard():
    signal.signal(number, lambda number, _frame: heard.append(number))
home, root, folder = map(Path, sys.argv[1:])
store = RepositoryStore.of(StorePaths(home), root)
with RunLock(store), MachineLock(StorePaths(home), store.name):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (folder / "grandchild").write_text(str(child.pid))
    (folder / "beat").touch()
    while not heard:
        time.sleep(0.01)
    (folder / "checkpoint").touch()
"""


@pytest.fixture
def watcher(bench: Bench) -> Iterator[subprocess.Popen]:
    """A watcher in a process of its own, in a session of its own as an editor begins it; its run
    trains.
    """
    where = (str(it) for it in (bench.paths.root, bench.root, bench.folder))
    command = [sys.executable, "-c", WATCHER, RUN, *where]
    with subprocess.Popen(command, start_new_session=True) as process:
        try:
            until((bench.folder / "beat").exists, "its run never began", seconds=60)
            yield process
        finally:
            process.kill()
            child = bench.memory.child
            if child is not None and child.is_alive:
                os.killpg(child.pid, signal.SIGKILL)


def test_one_that_stands_still_saves_itself_ends_and_frees_its_locks(
    bench: Bench, watcher: subprocess.Popen
):
    child = bench.memory.child
    assert child is not None
    run = psutil.Process(child.pid)
    bench.types_elsewhere()
    until(lambda: run.status() == psutil.STATUS_STOPPED)
    watcher.kill()
    watcher.wait()
    until((bench.folder / "checkpoint").exists, "it stands still for ever")
    until(lambda: is_over(run.pid), "it has not ended")
    with RunLock(bench.store), MachineLock(bench.paths, "other"):
        assert bench.memory.unfinished  # the next watcher goes on from there
