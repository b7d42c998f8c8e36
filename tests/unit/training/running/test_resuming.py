"""What a run takes over from one that was killed, and what it removes at its end."""

from dataclasses import replace
from pathlib import Path

import pytest

from lsp_server.prompt.window import Budget
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from lsp_server.store.runs import RunStore
from tests.train_extra import torch  # noqa: F401 - skips this file where training is not set up
from training.prepared import Cut
from training.running.resuming import checkpoint_of, clear, keep_cut, kept_cut


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


def test_how_prompts_were_cut_stays_beside_the_checkpoint(runs: RunStore):
    cut = Cut("base", 4096, "d" * 64, Budget(512, 96, 24, snippets=128))
    first = checkpoint_of(runs.begin(b""), runs)
    keep_cut(first, cut)
    assert kept_cut(first, "base", 4096) is None  # it was killed before anything was saved
    first.write_bytes(b"")
    own = checkpoint_of(runs.begin(b""), runs)
    assert kept_cut(own, "base", 4096) == cut
    assert kept_cut(own, "another", 4096) is None
    assert kept_cut(own, "base", 2048) is None
    keep_cut(own, replace(cut, budget=Budget(128, 32, 8)))
    own.with_name("cut.json").write_text("{")
    assert kept_cut(own, "base", 4096) is None


def test_a_checkpoint_of_an_older_tenon_comes_without_a_cut(runs: RunStore):
    checkpoint_of(runs.begin(b""), runs).write_bytes(b"")
    own = checkpoint_of(runs.begin(b""), runs)
    assert own.is_file()
    assert kept_cut(own, "base", 4096) is None


def test_at_the_end_nothing_is_left_to_go_on_from(runs: RunStore):
    for _ in range(3):
        run = runs.begin(b"kept")
        checkpoint_of(run, runs).write_bytes(b"")
        run.candidate.mkdir()
    clear(runs)
    for run in runs.all():
        assert [path.name for path in run.folder.iterdir()] == ["train.toml"]
