"""A watcher in a thread, of a real tree, whose runs are real processes that train nothing."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import psutil
import pytest

pytest.importorskip("watchdog", reason="needs watchdog: run `tenon setup train`")
pytest.importorskip("tree_sitter", reason="needs tree-sitter: run `tenon setup train`")

from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from lsp_server.store.trainer_state import TrainerMemory, read_trainer
from lsp_server.store.typing_mark import TypingMark
from lsp_server.trainer_messages import Schedule, TrainerReport
from tests.git_repositories import code
from training.watching import current_run, presence, watcher
from training.watching.machine import MachineState
from training.watching.messages import EndOfOrders, Message
from training.watching.surroundings import Surroundings
from training.watching.watcher import Watcher

STAND_IN = Path(__file__).with_name("stand_in.py")
AT_ONCE = Schedule(min_changes=1, idle_seconds=0, min_gap_minutes=0, drift=0)
MANUAL = Schedule(mode="manual")
SECONDS = 20.0


def until(condition: Callable[[], object], what: object = "", seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what or "it took too long"
        time.sleep(0.005)


@dataclass
class Bench:
    """``how`` the next runs go on is a word of the stand-in's; ``state`` is the machine's, which
    was looked at ``looks`` times.
    """

    folder: Path
    root: Path
    paths: StorePaths
    state: MachineState = field(default_factory=MachineState)
    missing: tuple[str, ...] = ()
    looks: int = 0
    reports: list[TrainerReport] = field(default_factory=list)
    watcher: Watcher | None = None
    thread: Thread | None = None

    @property
    def store(self) -> RepositoryStore:
        return RepositoryStore.of(self.paths, self.root)

    @property
    def memory(self) -> TrainerMemory:
        return read_trainer(self.store)

    @property
    def starts(self) -> list[str]:
        path = self.folder / "starts"
        return path.read_text().split() if path.exists() else []

    def goes(self, how: str) -> None:
        (self.folder / "how").write_text(how)

    def begin(self, schedule: Schedule = AT_ONCE) -> None:
        at = Surroundings(
            self.root,
            self.paths,
            machine=self._look,
            missing=lambda: self.missing,
            command=lambda _root, _rules: [sys.executable, str(STAND_IN), str(self.folder)],
        )
        self.watcher = Watcher(at, self.reports.append)
        self.tell(schedule)
        self.thread = Thread(target=self.watcher.run)
        self.thread.start()

    def _look(self) -> MachineState:
        self.looks += 1
        return self.state

    def tell(self, message: Message) -> None:
        assert self.watcher
        self.watcher.inbox.put(message)

    def types_elsewhere(self) -> None:
        TypingMark(self.paths).set()

    def end(self) -> None:
        if self.thread:
            self.tell(EndOfOrders())
            self.thread.join(SECONDS)
            assert not self.thread.is_alive()
            self.thread = None

    def until(self, state: str, said: str = "") -> TrainerReport:
        """Waits for a report that comes, or is the last."""
        until(
            lambda: (
                self.reports
                and self.reports[-1].state == state
                and said in self.reports[-1].message
            ),
            f"no {state} {said!r} at the end of {self.reports}",
        )
        return self.reports[-1]

    def training(self) -> psutil.Process:
        """The run's process, once it trains."""
        self.until("training")
        until(lambda: self.memory.child)
        child = self.memory.child
        assert child
        return psutil.Process(child.pid)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(watcher, "TICK_SECONDS", 0.02)
    monkeypatch.setattr(presence, "RESUME_SECONDS", 0.3)
    monkeypatch.setattr(current_run, "ENDING_SECONDS", 1.0)
    made = Bench(tmp_path / "bench", tmp_path / "root", StorePaths(tmp_path / "home"))
    made.folder.mkdir()
    made.root.mkdir()
    (made.root / "a.py").write_text(code("one", 4) + "\n\n" + code("two", 4))
    made.goes("steps")
    yield made
    made.end()
    if (made.folder / "grandchild").exists():
        pid = int((made.folder / "grandchild").read_text())
        until(lambda: not psutil.pid_exists(pid) or is_over(pid), "the grandchild goes on")


def is_over(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def popen() -> Iterator[Callable[[Bench], psutil.Popen]]:
    """Starts a run outside of any watcher; it beats by the time that it is returned."""
    started: list[psutil.Popen] = []

    def start(bench: Bench) -> psutil.Popen:
        command = [sys.executable, str(STAND_IN), str(bench.folder)]
        process = psutil.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
        started.append(process)
        until((bench.folder / "beat").exists)
        # As init does for whoever lost its parent.
        Thread(target=process.wait, daemon=True).start()
        return process

    yield start
    for process in started:
        if process.is_running():
            process.kill()
