import asyncio
import sys
from contextlib import asynccontextmanager

import pytest

from lsp_server import learning as learning_module
from lsp_server import trainer as trainer_module
from lsp_server.errors import TenonError
from lsp_server.learning import INSTALL, NOT_NOW, Learning
from lsp_server.settings import ServerSettings
from lsp_server.store.paths import StorePaths
from lsp_server.trainer_messages import TrainerReport, Verdict
from lsp_server.training_setup import TrainingSetup
from tests.watchers import orders, watcher

INSTALLER = """
import sys, pathlib
manner, marker, option = sys.argv[1:]
print("3 packages, 12 MB to download" if option == "--dry-run" else "collecting torch", flush=True)
if option == "--yes":
    if manner == "fails":
        sys.exit("no room")
    pathlib.Path(marker).touch()
"""


class FakeDisplay:
    def __init__(self):
        self.shown = []

    def show(self, words, percentage):
        self.shown.append(words)


class FakeEditor:
    """Answers a question with ``answer``; remembers what it displayed and asked."""

    def __init__(self, *, answer=INSTALL, shows_trainer=False):
        self.answer, self.shows_trainer = answer, shows_trainer
        self.titles, self.questions, self.displays = [], [], []

    async def choose(self, message, actions):
        self.questions.append((message, tuple(actions)))
        return self.answer

    @asynccontextmanager
    async def display(self, title, on_cancel):
        self.titles.append(title)
        self.displays.append(FakeDisplay())
        yield self.displays[-1]


class Bench:
    """A learning with what it told; its installer leaves a marker when it has installed."""

    def __init__(self, folder, monkeypatch, editor, manner="works"):
        self.folder, self.editor = folder, editor
        self.reports, self.learnt = [], []
        self.marker = folder / "installed"
        paths = StorePaths(folder / "home")
        command = [sys.executable, "-c", INSTALLER, manner, str(self.marker)]
        setup = TrainingSetup(paths, command=command)
        monkeypatch.setattr(learning_module, "TrainingSetup", lambda _paths: setup)
        monkeypatch.setattr(learning_module, "missing_packages", self.missing)
        monkeypatch.setattr(trainer_module, "missing_packages", self.missing)
        monkeypatch.setattr(trainer_module.children, "command", lambda *_: watcher())
        self.learning = Learning(
            paths, editor, lambda: self.reports.append(1), lambda: self.learnt.append(1)
        )
        self.learning.configure(ServerSettings())

    def missing(self):
        return [] if self.marker.exists() else ["torch"]

    async def state(self, root, state):
        async with asyncio.timeout(20):
            while self.learning.report_of(root).state != state:  # noqa: ASYNC110 - others report
                await asyncio.sleep(0.01)


@pytest.fixture
async def bench(tmp_path, monkeypatch):
    made = []

    def make(editor=None, **options):
        made.append(Bench(tmp_path, monkeypatch, editor or FakeEditor(), **options))
        return made[-1]

    yield make
    for it in made:
        await it.learning.aclose()


async def test_what_training_needs_is_installed_after_its_size_was_agreed_to(bench, tmp_path):
    at = bench()
    root = tmp_path / "shelf"
    (root / ".git").mkdir(parents=True)
    await at.learning.open(str(root))
    await at.state(str(root), "unavailable")
    assert await at.learning.set_up() is True
    ((question, actions),) = at.editor.questions
    assert "3 packages, 12 MB to download" in question
    assert actions == (INSTALL, NOT_NOW)
    assert at.editor.displays[0].shown[-1] == "collecting torch"
    async with asyncio.timeout(20):  # the trainer that could not begin does so by itself
        while not orders(tmp_path / "home"):  # noqa: ASYNC110 - a process writes
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("answer", [NOT_NOW, None])
async def test_who_does_not_agree_gets_nothing(bench, answer):
    at = bench(FakeEditor(answer=answer))
    assert await at.learning.set_up() is False
    assert not at.marker.exists()


async def test_where_all_is_there_nobody_is_asked(bench):
    at = bench()
    at.marker.touch()
    assert await at.learning.set_up() is True
    assert at.editor.titles == []


async def test_an_installation_that_fails_is_none(bench, caplog):
    at = bench(manner="fails")
    assert await at.learning.set_up() is False
    assert "no room" in at.editor.displays[0].shown
    assert "not installed; the lines above say why" in caplog.text


async def test_a_second_set_up_beside_the_first_is_refused(bench):
    at = bench()
    ended = await asyncio.gather(at.learning.set_up(), at.learning.set_up(), return_exceptions=True)
    [refusal] = [it for it in ended if it is not True]
    assert isinstance(refusal, TenonError)
    assert "already" in str(refusal)


def training():
    return TrainerReport("training", root="/home/shelf", step=1, steps=10)


async def test_a_run_is_shown_as_progress(bench):
    at = bench()
    at.learning._heard(training())
    await asyncio.sleep(0)
    assert at.editor.titles == ["Tenon learns shelf"]
    assert at.reports == [1]


async def test_an_editor_that_shows_runs_itself_gets_no_progress_beside_it(bench):
    at = bench(FakeEditor(shows_trainer=True))
    at.learning._heard(training())
    await asyncio.sleep(0)
    assert at.editor.titles == []
    assert at.reports == [1]


async def test_a_promotion_is_followed_once(bench):
    at = bench()
    won = Verdict("one", promoted=True, gain=0.1, lower=0.05, spans=30, reason="", finished=1.0)
    for _ in range(2):
        at.learning._heard(TrainerReport("idle", root="/home/shelf", last=won))
    assert at.learnt == [1]
    lost = Verdict("two", promoted=False, gain=0, lower=None, spans=3, reason="", finished=2.0)
    at.learning._heard(TrainerReport("idle", root="/home/shelf", last=lost))
    assert at.learnt == [1]
