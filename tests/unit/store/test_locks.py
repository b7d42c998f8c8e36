"""Who trains, in real processes that are killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil
import pytest

from lsp_server.errors import NotNowError, RunBusyError
from lsp_server.store.locks import Holder, MachineLock, RunLock
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore

HOLD = """
import sys, time
from pathlib import Path
from lsp_server.store.locks import MachineLock, RunLock
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
paths = StorePaths(Path(sys.argv[1]))
store = RepositoryStore.of(paths, Path(sys.argv[2]))
with RunLock(store), MachineLock(paths, store.name):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def paths(tmp_path: Path) -> StorePaths:
    return StorePaths(tmp_path / "home")


@pytest.fixture
def repository(paths: StorePaths, tmp_path: Path) -> RepositoryStore:
    return RepositoryStore.of(paths, tmp_path / "app")


@contextmanager
def another_run(paths: StorePaths, root: Path) -> Iterator[int]:
    """The process of one that trains ``root``; it is killed at the end."""
    command = [sys.executable, "-c", HOLD, str(paths.root), str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "held\n"
            yield process.pid
        finally:
            process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))


def test_one_run_at_a_time_and_who_it_is(repository: RepositoryStore):
    with RunLock(repository) as lock:
        assert lock.holder() == Holder.of(os.getpid(), "app")
        with pytest.raises(RunBusyError, match=f"process {os.getpid()}"):
            RunLock(repository).acquire()
    assert lock.holder() is None
    with RunLock(repository):
        pass


def test_one_run_on_a_machine_and_of_what(paths: StorePaths):
    with MachineLock(paths, "app"):
        with pytest.raises(RunBusyError) as raised:
            MachineLock(paths, "other").acquire()
        assert f"app is being trained on this machine (process {os.getpid()})" in str(raised.value)
    assert isinstance(raised.value, NotNowError)
    with MachineLock(paths, "other") as lock:
        assert lock.holder().repository == "other"


def test_a_killed_run_frees_its_repository_and_the_machine(
    paths: StorePaths, repository: RepositoryStore
):
    with another_run(paths, repository.root) as pid:
        with pytest.raises(RunBusyError, match=f"process {pid}"):
            RunLock(repository).acquire()
        with pytest.raises(RunBusyError, match="app is being trained on this machine"):
            MachineLock(paths, "other").acquire()
        assert RunLock(repository).holder().pid == pid
        assert MachineLock(paths, "").holder().repository == "app"
    assert RunLock(repository).holder() is None
    with RunLock(repository), MachineLock(paths, "app"):
        pass


def test_where_nothing_can_be_written_nobody_holds_anything(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        MachineLock(StorePaths(tmp_path / "file" / "home"), "app").acquire()
    with pytest.raises(OSError):
        RunLock(RepositoryStore.of(StorePaths(tmp_path / "file"), tmp_path)).acquire()


def test_another_process_of_the_same_number_is_not_the_holder():
    me = Holder.of(os.getpid())
    assert me.is_alive
    assert not msgspec.structs.replace(me, started=me.started - 3600).is_alive
    assert not msgspec.structs.replace(me, started=me.started + 3600).is_alive


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere starts do not move with the clock")
def test_whoever_holds_a_lock_holds_it_when_the_clock_is_set(monkeypatch: pytest.MonkeyPatch):
    me, platform = Holder.of(os.getpid()), psutil._psplatform
    created, booted = psutil.Process().create_time(), platform.boot_time()
    for step in (3600.0, -3600.0):
        monkeypatch.setattr(platform, "boot_time", lambda: booted + step)  # noqa: B023
        assert psutil.Process().create_time() == pytest.approx(
            created + step
        )  # as the system has it
        assert me.is_alive
