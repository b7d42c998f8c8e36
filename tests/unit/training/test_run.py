"""What a run refuses before it begins; whole runs are in tests/e2e/test_train.py."""

from pathlib import Path

import pytest

from lsp_server.errors import SettingsError
from lsp_server.store.paths import StorePaths
from tests.train_extra import torch  # noqa: F401 - skips this file where training is not set up
from training.recipe.config import RecipeConfig, TrainConfig
from training.run import TrainingRun


@pytest.mark.parametrize("method", ["full", "dora"])
def test_a_method_without_an_adapter_is_refused_before_anything_begins(tmp_path: Path, method: str):
    config = TrainConfig(recipe=RecipeConfig(method=method))
    run = TrainingRun(tmp_path, StorePaths(tmp_path / "home"), config)
    with pytest.raises(SettingsError, match="leave --method out"):
        run.execute()
    assert not (tmp_path / "home").exists()


def test_a_folder_that_is_gone_is_not_learnt(tmp_path: Path):
    run = TrainingRun(tmp_path / "gone", StorePaths(tmp_path / "home"), TrainConfig())
    with pytest.raises(SettingsError, match="gone is gone, so its training ended"):
        run.execute()
