"""What a run takes over from one that was killed; whole runs are in tests/e2e/test_train.py."""

from pathlib import Path

import pytest

from lsp_server.errors import SettingsError
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from lsp_server.store.runs import RunStore
from tests.train_extra import torch  # noqa: F401 - skips this file where training is not set up
from training.recipe.config import RecipeConfig, TrainConfig
from training.run import TrainingRun, checkpoint_of


def test_a_run_goes_on_from_the_newest_that_was_cut_short(tmp_path: Path):
    runs = RunStore(RepositoryStore.of(StorePaths(tmp_path / "home"), tmp_path))
    for text in (b"oldest", b"newest", None):
        run = runs.begin(b"")
        if text is not None:
            checkpoint_of(run, runs).write_bytes(text)
    last = runs.begin(b"")
    own = checkpoint_of(last, runs)
    assert own.read_bytes() == b"newest"
    assert own.is_relative_to(last.folder)


def test_the_first_run_begins_anew(tmp_path: Path):
    runs = RunStore(RepositoryStore.of(StorePaths(tmp_path / "home"), tmp_path))
    assert not checkpoint_of(runs.begin(b""), runs).exists()


@pytest.mark.parametrize("method", ["full", "dora"])
def test_a_method_without_an_adapter_is_refused_before_anything_begins(tmp_path: Path, method: str):
    config = TrainConfig(recipe=RecipeConfig(method=method))
    run = TrainingRun(tmp_path, StorePaths(tmp_path / "home"), config)
    with pytest.raises(SettingsError, match="leave --method out"):
        run.execute()
    assert not (tmp_path / "home").exists()
