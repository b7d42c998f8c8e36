"""`tenon watch` as an editor starts it: orders in, reports out, a run of a terminal held."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil
import pytest

pytest.importorskip("watchdog", reason="needs watchdog: run `tenon setup train`")

from lsp_server.cli import main
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from lsp_server.store.trainer_state import read_trainer
from lsp_server.store.typing_mark import TypingMark
from lsp_server.trainer_messages import Schedule, TrainerReport, Typing, decode_report
from tests.editors import TENON, hostile_workspace
from tests.git_repositories import code
from tests.unit.training.watching.test_giving_way import HOLDER

SECONDS = 60.0
PATIENT = Schedule(min_changes=10_000)


class Trainer:
    """The process, and what it reports."""

    def __init__(self, process: subprocess.Popen) -> None:
        self.process = process
        self.reports: list[TrainerReport] = []
        self._new = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def order(self, order: object) -> None:
        self.process.stdin.write(msgspec.json.encode(order) + b"\n")
        self.process.stdin.flush()

    def until(self, said: str) -> TrainerReport:
        with self._new:
            assert self._new.wait_for(
                lambda: any(said in it.message for it in self.reports[-1:]), SECONDS
            ), f"no {said!r} at the end of {self.reports}"
            return self.reports[-1]

    def _read(self) -> None:
        for line in self.process.stdout:
            with self._new:
                self.reports.append(decode_report(line))
                self._new.notify_all()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StorePaths:
    monkeypatch.setenv("TENON_HOME", str(tmp_path / "home"))
    return StorePaths(tmp_path / "home")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = hostile_workspace(tmp_path / "shelf")
    (made / "a.py").write_text(code("one", 4) + "\n\n" + code("two", 4))
    return made


@contextmanager
def trainer(root: Path) -> Iterator[Trainer]:
    with subprocess.Popen(
        [TENON, "watch", str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root
    ) as process:
        try:
            yield Trainer(process)
        finally:
            process.kill()


def test_it_reports_what_is_new_and_ends_with_its_input(home, root, capsys):
    with trainer(root) as watching:
        watching.order(PATIENT)
        told = watching.until("2 functions are new or changed")
        assert (told.state, told.pending, told.root) == ("waiting", 2, str(root))
        temporary = root / ".b.py.tmp"
        temporary.write_text(code("three", 4))
        temporary.replace(root / "b.py")
        watching.until("3 functions are new or changed")
        assert main(["watch", str(root)]) == 75
        said = capsys.readouterr().err
        assert f"is being watched already (process {watching.process.pid})" in said
        assert said.count("\n") == 1
        watching.process.stdin.close()
        assert watching.process.wait(SECONDS) == 0
    assert read_trainer(RepositoryStore.of(home, root)).pending == 3


def test_a_bad_order_is_passed_over(home, root):
    with trainer(root) as watching:
        watching.process.stdin.write(b"nonsense\n")
        watching.order(PATIENT)
        watching.until("2 functions")


@pytest.mark.parametrize(("elsewhere", "within"), [(False, 0.2), (True, 0.4)])
def test_a_key_stops_a_training_at_once_in_whichever_window(home, root, elsewhere, within):
    command = [sys.executable, "-c", HOLDER, str(home.root), str(root)]
    with trainer(root) as watching, psutil.Popen(command, stdout=subprocess.PIPE) as training:
        try:
            training.stdout.readline()
            watching.order(PATIENT)
            watching.until(f"it is being trained by process {training.pid}")
            began = time.monotonic()
            if elsewhere:
                TypingMark(home).set()
            else:
                watching.order(Typing())
            while training.status() != psutil.STATUS_STOPPED:
                assert time.monotonic() - began < SECONDS
                time.sleep(0.001)
            assert time.monotonic() - began < within
            watching.until("while you type")
            watching.process.stdin.close()
            assert watching.process.wait(SECONDS) == 0
            assert training.status() != psutil.STATUS_STOPPED
        finally:
            training.kill()


def test_status_shows_it(home, root, capsys, monkeypatch):
    with trainer(root) as watching:
        watching.order(PATIENT)
        watching.until("2 functions")
        monkeypatch.chdir(root)
        assert main(["status", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)["trainer"]
        assert (told["state"], told["pending"]) == ("waiting", 2)
        assert main(["status"]) == 0
        text = capsys.readouterr().out
        assert "trainer    waiting: 2 functions are new or changed" in text
        assert f"watched    by process {watching.process.pid}" in text
        assert "automatic, from 10000 new functions" in text
        watching.process.kill()
        watching.process.wait()
    assert main(["status"]) == 0
    text = capsys.readouterr().out
    assert "watched    by nobody" in text
    assert "2 functions are new or changed" in text


def test_it_is_small(home, root):
    with trainer(root) as watching:
        watching.order(PATIENT)
        watching.until("2 functions")
        memory = psutil.Process(watching.process.pid).memory_info().rss / 2**20
        assert memory < 120, f"{memory:.0f} MiB"
        maps = Path(f"/proc/{watching.process.pid}/maps")
        if os.access(maps, os.R_OK):
            assert "libtorch" not in maps.read_text()
