"""A run: it learns, is the same each time, and stops when, and as, it is told."""

import itertools
import math
from dataclasses import replace

import msgspec
import pytest

from tests.train_extra import torch

pytest.importorskip("peft")

from tests.tiny_trainee import (
    RECIPE,
    Clock,
    Follower,
    tiny_material,
    tiny_samples,
    tiny_trainee,
    trained,
)
from training.data.samples import Sample
from training.recipe.config import RecipeConfig
from training.recipe.optimisation import schedule
from training.recipe.recipe import TrainingCancelledError, steps_of

METHODS = ["lora", "dora", "adalora", "full"]
SEEN, UNSEEN = tiny_samples(), tiny_samples(seed=9)


def same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return len(one) == len(other) > 0 and all(map(torch.equal, one, other))


@pytest.mark.parametrize("method", METHODS)
def test_what_can_be_learnt_by_heart_is(method: str) -> None:
    rate = 0.002 if method == "full" else 0.03
    run = trained(
        tiny_material(heldout=SEEN), method=method, passes=20.0, rank=8, learning_rate=rate
    )
    first, *_, last = run.events
    assert math.isnan(first.loss)
    assert last.heldout < first.heldout / 2
    assert last.loss < first.heldout / 2
    assert run.progress.best == min(event.heldout for event in run.events)
    assert last.step == last.steps == run.progress.step == 40
    assert [event.step for event in run.events] == list(range(0, 41, 4))
    assert run.progress.tokens == 20 * sum(len(it.tokens) for it in SEEN)
    assert last.learning_rate == pytest.approx(rate * RECIPE.final_rate)
    assert last.tokens_per_second > 0
    assert last.eta == 0


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("method", METHODS)
def test_a_seed_gives_the_same_weights_again(method: str, dropout: float) -> None:
    one, other = (trained(method=method, dropout=dropout).weights for _ in range(2))
    assert same(one, other)


@pytest.mark.parametrize(("most", "made"), [(0, 8), (3, 3), (100, 8)])
def test_steps_are_those_of_the_passes_or_fewer(most: int, made: int) -> None:
    run = trained(max_steps=most)
    assert run.progress.step == made == steps_of(8, msgspec.structs.replace(RECIPE, max_steps=most))
    assert run.events[-1].steps == made
    assert run.events[-1].heldout is None


def test_a_pass_that_is_no_whole_number_of_steps_is_finished() -> None:
    assert steps_of(9, RecipeConfig(passes=1.0, step_samples=4)) == 3
    assert steps_of(0, RecipeConfig()) == 1


def test_every_step_reads_on_where_the_last_one_ended() -> None:
    asked = []
    material = tiny_material()

    def samples(start: int, step: int):
        for number, sample in zip(itertools.count(start, step), material.samples(start, step)):
            asked.append(number)
            yield sample

    trained(replace(material, samples=samples))
    assert asked == list(range(8 * RECIPE.step_samples))


def test_unlearned_tokens_are_not() -> None:
    """A prompt's token that is never to be predicted leaves no gradient behind."""
    prompt = Sample((5, 5, 5, 5, 6), 5)  # all of it a prompt, its answer empty
    material = tiny_material([prompt])
    began = [it.detach() for it in tiny_trainee().parameters]
    learnt = trained(material, prompt_weight=1.0).weights
    closed = replace(material, unlearned=frozenset({5, 6}))
    assert same(trained(closed, prompt_weight=1.0).weights, began)
    assert not same(learnt, began)


def test_a_step_is_one_mean_however_it_is_cut() -> None:
    whole, pieces = (trained(micro_tokens=most, max_steps=2).weights for most in (10_000, 1))
    for one, other in zip(whole, pieces, strict=True):
        assert torch.allclose(one, other, atol=2e-4)


def test_it_stops_when_it_gets_no_better_and_keeps_the_best_weights() -> None:
    material = tiny_material(heldout=UNSEEN)
    trainee = tiny_trainee()
    run = trained(
        material, trainee=trainee, passes=50.0, learning_rate=0.03, patience=2, measures=50
    )
    losses = [event.heldout for event in run.events]
    best = losses.index(min(losses))
    assert len(losses) == best + 3
    assert run.progress.step < 100
    batches = list(trainee.cut(UNSEEN, 96, prompt_weight=0.0))
    with trainee.at(RECIPE.strength):
        total, count = trainee.measured(batches).sum(0).tolist()
    assert total / count == pytest.approx(run.progress.best, rel=1e-6)


def test_a_time_budget_ends_a_run_its_measurements_and_its_schedule() -> None:
    clock = Clock()
    run = trained(
        tiny_material(heldout=SEEN),
        Follower(before=lambda step: clock.passes(0.5 * (step > 0)), clock=clock),
        passes=1e6, time_budget=10.0, patience=100,
    )  # fmt: skip
    *_, last = run.events
    assert run.progress.seconds == 10.5
    assert last.step == run.progress.step == 21
    assert [event.steps for event in run.events[1:]] == [20] * 10 + [21]
    assert last.learning_rate == pytest.approx(RECIPE.rate * RECIPE.final_rate)
    assert last.eta == 0
    assert [event.step for event in run.events] == [*range(0, 21, 2), 21]
    assert [event.eta for event in run.events[1:]] == [*range(9, -1, -1), 0]


def test_a_schedule_rises_and_falls() -> None:
    config = RecipeConfig(warmup=0.2, final_rate=0.1)
    rates = [schedule(step / 10, 1 / 10, config) for step in range(1, 11)]
    assert rates[:2] == [0.5, 1.0]
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert rates[-1] == pytest.approx(0.1)
    assert schedule(1.0, 1.0, config) == 1.0  # the only step of a run is not lost
    assert schedule(2.0, 0.1, config) == pytest.approx(0.1)


def test_a_run_without_a_warm_up_begins_at_once() -> None:
    config = RecipeConfig(warmup=0.0)
    assert schedule(0.1, 0.1, config) == 1.0


@pytest.mark.parametrize("after", [0, 3])
def test_a_run_that_is_cancelled_says_so(after: int) -> None:
    follower = Follower(stop_after=after)
    with pytest.raises(TrainingCancelledError, match="cancelled"):
        trained(follower=follower)
    assert follower.asked == after
