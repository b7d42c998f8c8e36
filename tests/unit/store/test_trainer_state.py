import pytest

from lsp_server.store.locks import Holder
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from lsp_server.store.trainer_state import (
    DriftScores,
    TrainerMemory,
    read_trainer,
    trainer_file,
    write_trainer,
)
from lsp_server.trainer_messages import Schedule, Verdict


@pytest.fixture
def store(tmp_path):
    return RepositoryStore.of(StorePaths(tmp_path / "home"), tmp_path / "root")


def test_what_is_remembered_comes_back(store):
    memory = TrainerMemory(
        schedule=Schedule(min_changes=3),
        state="waiting",
        waiting_for=("AC power",),
        pending=12,
        paused=True,
        finished=5.0,
        last=Verdict("a", True, 0.2, None, 40, "better", 5.0),
        unfinished=True,
        child=Holder(1, 2.0),
        drift=DriftScores(adapter="a", gate=1.0, spans=(("a.py", 1.0), ("b.py", 2.0))),
    )
    write_trainer(store, memory)
    assert read_trainer(store) == memory


def test_without_a_readable_file_nothing_is_remembered(store):
    assert read_trainer(store) == TrainerMemory()
    store.folder.mkdir(parents=True)
    trainer_file(store).write_bytes(b'{"pending": "many"')
    assert read_trainer(store) == TrainerMemory()


def test_what_a_newer_version_adds_is_passed_over(store):
    store.folder.mkdir(parents=True)
    trainer_file(store).write_bytes(b'{"pending": 3, "mood": "good"}')
    assert read_trainer(store).pending == 3


def test_what_an_older_version_wrote_is_read_but_for_its_scores(store):
    store.folder.mkdir(parents=True)
    old = b'{"pending": 3, "drift": {"adapter": "a", "gate": 1.0, "nll": [1.0, 2.0]}}'
    trainer_file(store).write_bytes(old)
    memory = read_trainer(store)
    assert memory.pending == 3
    assert memory.drift == DriftScores(adapter="a", gate=1.0)
