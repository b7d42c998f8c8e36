"""What a run takes over from one that was killed, and what it removes at its end."""

from pathlib import Path

import pytest

from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from lsp_server.store.runs import RunStore
from training.running.resuming import checkpoint_of, clear


@pytest.fixture
def runs(tmp_path: Path) -> RunStore:
    return RunStore(RepositoryStore.of(StorePaths(tmp_path / "home"), tmp_path))


def test_a_run_goes_on_from_the_newest_that_was_cut_short(runs: RunStore):
    for text in (b"oldest", b"newest", None):
        run = runs.begin(b"")
        if text is not None:
            checkpoint_of(run, runs).write_bytes(text)
    last = runs.begin(b"")
    own = checkpoint_of(last, runs)
    assert own.read_bytes() == b"newest"
    assert own.is_relative_to(last.folder)


def test_the_first_run_begins_anew(runs: RunStore):
    assert not checkpoint_of(runs.begin(b""), runs).exists()


def test_at_the_end_nothing_is_left_to_go_on_from(runs: RunStore):
    for _ in range(3):
        run = runs.begin(b"kept")
        checkpoint_of(run, runs).write_bytes(b"")
        run.candidate.mkdir()
    clear(runs)
    for run in runs.all():
        assert [path.name for path in run.folder.iterdir()] == ["train.toml"]
