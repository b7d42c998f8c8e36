"""What a run refuses before it begins; whole runs are in tests/e2e/test_train.py."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from lsp_server.errors import NotNowError, SettingsError
from lsp_server.store.paths import StorePaths
from tests.train_extra import torch
from training import run as run_module
from training.recipe.config import RecipeConfig, TrainConfig
from training.run import TrainingRun
from training.running.team import Team


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


def test_the_steps_of_a_run_are_those_that_its_processes_can_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    settled = []

    async def served(*_arguments: object) -> SimpleNamespace:
        return SimpleNamespace(model=SimpleNamespace(path=tmp_path / "base.gguf"))

    def remember(_base: Path, _machine: object, recipe: RecipeConfig) -> None:
        settled.append(recipe.batch)
        raise NotNowError("that is enough")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(TrainingRun, "_ask_base", served)
    monkeypatch.setattr(run_module, "check_memory", remember)
    run = TrainingRun(tmp_path, StorePaths(tmp_path / "home"), TrainConfig())
    for size in (1, 16):
        with pytest.raises(NotNowError):
            run.execute(Team(size))
    assert settled == [8, 16]
