"""A run goes on from weights that another one saved."""

from pathlib import Path

import msgspec
import pytest

from lsp_server.errors import CorruptAdapterError
from tests.train_extra import torch

pytest.importorskip("peft")
from safetensors.torch import load_file, save_file

from tests.tiny_trainee import RECIPE, tiny_base, tiny_material, tiny_samples, trained
from training.recipe.trainee import Trainee, with_adapter
from training.recipe.warm import WEIGHTS, take_over

HELDOUT = tiny_material(heldout=tiny_samples())


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, float]:
    """An adapter's folder, and the held-out loss that it was saved with."""
    trainee = Trainee(with_adapter(tiny_base(), RECIPE))
    run = trained(HELDOUT, trainee=trainee, passes=10.0)
    trainee.model.save_pretrained(tmp_path / "peft")
    return tmp_path / "peft", run.progress.best


def test_a_run_begins_where_the_adapter_was(saved: tuple[Path, float]) -> None:
    folder, best = saved
    model = with_adapter(tiny_base(), RECIPE)
    take_over(model, folder)
    run = trained(HELDOUT, trainee=Trainee(model), passes=10.0)
    assert run.events[0].heldout == pytest.approx(best, rel=1e-6)
    assert run.progress.best < best


@pytest.mark.parametrize("changes", [{"rank": 8}, {"modules": ("q_proj",)}], ids=str)
def test_another_shape_is_refused(saved: tuple[Path, float], changes: dict[str, object]) -> None:
    folder, _ = saved
    model = with_adapter(tiny_base(), msgspec.structs.replace(RECIPE, **changes))
    before = [it.detach().clone() for it in model.parameters()]
    with pytest.raises(CorruptAdapterError, match="other layers or another rank"):
        take_over(model, folder)
    assert all(map(torch.equal, before, model.parameters()))


def test_weights_that_cannot_be_read_are_refused(saved: tuple[Path, float]) -> None:
    folder, _ = saved
    model = with_adapter(tiny_base(), RECIPE)
    weights = load_file(folder / WEIGHTS)
    save_file(dict(list(weights.items())[1:]), folder / WEIGHTS)
    with pytest.raises(CorruptAdapterError, match="other layers"):
        take_over(model, folder)
    (folder / WEIGHTS).write_bytes(b"torn")
    with pytest.raises(CorruptAdapterError, match="cannot be read"):
        take_over(model, folder)
    (folder / WEIGHTS).unlink()
    with pytest.raises(CorruptAdapterError, match="cannot be read"):
        take_over(model, folder)
