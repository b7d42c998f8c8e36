"""AdaLoRA's ranks come down to what was asked for, however a run ends."""

import msgspec
import pytest

from tests.train_extra import torch

pytest.importorskip("peft")

from peft import get_peft_model_state_dict

from tests.tiny_trainee import (
    RECIPE,
    Clock,
    Follower,
    tiny_material,
    tiny_samples,
    tiny_trainee,
    trained,
)
from training.recipe.ranks import RankPlan
from training.recipe.trainee import Trainee

SEEN = tiny_samples()
LAYERS = 14


def ranks_left(trainee: Trainee) -> int:
    """Over all layers."""
    named = trainee.model.named_parameters()
    return sum(int((it != 0).sum()) for name, it in named if ".lora_E." in name)


def run(rank: int, follower: Follower | None = None, **changes: object) -> Trainee:
    settings = {"method": "adalora", "rank": rank} | changes
    config = msgspec.structs.replace(RECIPE, **settings)
    material = tiny_material()
    trainee = tiny_trainee(config, material)
    trained(material, follower, trainee=trainee, **settings)
    return trainee


@pytest.mark.parametrize("rank", [1, 2, 4])
@pytest.mark.parametrize("steps", [2, 3, 10, 20])
def test_the_mean_rank_is_the_one_asked_for(rank: int, steps: int) -> None:
    assert ranks_left(run(rank, max_steps=steps, passes=20.0)) == rank * LAYERS


def test_one_step_learns_too() -> None:
    assert ranks_left(run(2, max_steps=1)) > 0


def test_time_settles_the_ranks_as_steps_do() -> None:
    clock = Clock()
    follower = Follower(before=lambda _step: clock.passes(1.0), clock=clock)
    trainee = run(2, follower, passes=1_000.0, time_budget=30.0)
    assert follower.asked == 30
    assert ranks_left(trainee) == 2 * LAYERS


def test_a_first_step_that_outlasts_the_run_is_learnt_from() -> None:
    clock = Clock()
    follower = Follower(before=lambda _step: clock.passes(100.0), clock=clock)
    trainee = run(2, follower, passes=1_000.0, time_budget=150.0)
    assert follower.asked == 1
    assert ranks_left(trainee) > 0


def test_the_kept_weights_are_saved_whole() -> None:
    """The best weights may have ranks that went later on."""
    settings = {"method": "adalora", "passes": 20.0, "learning_rate": 0.01, "patience": 100}
    config = msgspec.structs.replace(RECIPE, **settings)
    material = tiny_material(SEEN, heldout=tiny_samples(seed=9))
    trainee = tiny_trainee(config, material)
    trained(material, trainee=trainee, **settings)
    saved = get_peft_model_state_dict(trainee.model)
    live = dict(trainee.model.named_parameters())
    assert saved.keys()
    for name, value in saved.items():
        assert torch.equal(value, live[f"{name}.default"])


def test_the_penalty_is_pefts() -> None:
    config = msgspec.structs.replace(RECIPE, method="adalora")
    trainee = tiny_trainee(config)
    tokens = torch.tensor([SEEN[0].tokens])
    plain = trainee.model.get_base_model()(input_ids=tokens, labels=tokens).loss
    whole = trainee.model(input_ids=tokens, labels=tokens).loss
    assert isinstance(trainee.ranks, RankPlan)
    assert torch.allclose(trainee.ranks.penalty(), whole - plain, atol=1e-5)
