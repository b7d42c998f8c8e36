"""What `tenon status` says of a trainer; its lines are in tests/e2e/test_watch.py."""

from pathlib import Path

import pytest

from lsp_server.commands.trainer_lines import trainer_facts
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from lsp_server.store.trainer_state import TrainerMemory, write_trainer
from lsp_server.trainer_messages import Schedule, TrainingMode


@pytest.mark.parametrize(("mode", "manual"), [("manual", True), ("automatic", False)])
def test_the_mode_that_last_held_is_told(tmp_path: Path, mode: TrainingMode, *, manual: bool):
    store = RepositoryStore.of(StorePaths(tmp_path / "home"), tmp_path)
    store.folder.mkdir(parents=True)
    write_trainer(store, TrainerMemory(schedule=Schedule(mode=mode)))
    assert trainer_facts(store)["trainer"]["manual"] is manual
