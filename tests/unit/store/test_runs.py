import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from lsp_server.errors import RunBusyError
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from lsp_server.store.runs import KEPT_RUNS, EventLog, Holder, JsonLines, Run, RunLock, RunStore

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
HOLD = """
import sys, time
from pathlib import Path
from lsp_server.store.runs import RunLock
from lsp_server.store.repositories import RepositoryStore
lock = RunLock(RepositoryStore(Path("app"), Path(sys.argv[1])))
lock.acquire()
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def repository(tmp_path: Path) -> RepositoryStore:
    return RepositoryStore.of(StorePaths(tmp_path / "home"), tmp_path / "app")


def test_a_run_has_a_folder_with_its_settings(repository: RepositoryStore):
    run = RunStore(repository).begin(b"seed = 1\n", NOON)
    assert run.folder == repository.runs / "20260102T120000Z"
    assert run.settings.read_bytes() == b"seed = 1\n"
    assert run.started == NOON
    assert list(run.read_events()) == []


def test_the_newest_runs_are_kept(repository: RepositoryStore):
    store = RunStore(repository)
    for minute in range(KEPT_RUNS + 3):
        store.begin(b"", NOON + timedelta(minutes=minute))
    runs = store.all()
    assert len(runs) == KEPT_RUNS
    assert runs[0].started == NOON + timedelta(minutes=KEPT_RUNS + 2)


def test_a_clock_that_was_set_back_does_not_hide_the_new_run(repository: RepositoryStore):
    store = RunStore(repository)
    old = store.begin(b"", NOON)
    new = store.begin(b"", NOON - timedelta(days=1))
    assert store.all() == [new, old]


def test_events_are_read_while_they_are_written(repository: RepositoryStore):
    run = RunStore(repository).begin(b"")
    with EventLog(run.events) as log:
        log.tell({"event": "step", "step": 1, "loss": 2.5})
        (event,) = run.read_events()
    assert (event["event"], event["loss"]) == ("step", 2.5)
    assert event["time"] > NOON.timestamp()


def test_a_torn_line_swallows_nothing(tmp_path: Path):
    run = Run(tmp_path)
    run.events.write_bytes(b'{"step": 1}\n{"step":')
    with JsonLines(run.events) as log:
        log.append({"step": 2})
    assert [event["step"] for event in run.read_events()] == [1, 2]
    with JsonLines(run.events) as log:
        log.append({"step": 3})
    assert json.loads(run.events.read_text("utf-8").splitlines()[-1]) == {"step": 3}


def test_one_run_at_a_time_and_who_it_is(repository: RepositoryStore):
    with RunLock(repository) as lock:
        assert lock.holder() == Holder(os.getpid(), psutil.Process().create_time())
        with pytest.raises(RunBusyError, match=f"process {os.getpid()}"):
            RunLock(repository).acquire()
    assert lock.holder() is None
    with RunLock(repository):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_killed_run_frees_its_repository(repository: RepositoryStore):
    command = [sys.executable, "-c", HOLD, str(repository.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "held\n"
            with pytest.raises(RunBusyError, match=f"process {process.pid}"):
                RunLock(repository).acquire()
            assert RunLock(repository).holder().pid == process.pid
        finally:
            process.send_signal(signal.SIGKILL)
    assert RunLock(repository).holder() is None
    with RunLock(repository):
        pass


def test_another_process_of_the_same_number_is_not_the_holder():
    me = psutil.Process()
    assert Holder(me.pid, me.create_time()).is_alive
    assert not Holder(me.pid, me.create_time() - 3600).is_alive


def test_two_runs_that_begin_within_one_second(repository):
    store = RunStore(repository)
    first = store.begin(b"", NOON + timedelta(milliseconds=100))
    second = store.begin(b"", NOON + timedelta(milliseconds=900))
    assert store.all() == [second, first]
