"""The next token, greedy and drawn."""

import numpy as np
import pytest

from lsp_server.engine.sampling import Sampler, Sampling, top_logprobs

LOGITS = np.log(np.array([0.1, 0.5, 0.25, 0.15], np.float32))


def draw_many(sampling: Sampling, count: int = 400) -> list[int]:
    sampler = Sampler(sampling)
    return [sampler.draw(LOGITS)[0] for _ in range(count)]


def test_zero_temperature_is_greedy_and_reports_the_models_own_probability() -> None:
    token, logprob = Sampler(Sampling(temperature=0)).draw(LOGITS)
    assert token == 1
    assert logprob == pytest.approx(np.log(0.5), abs=1e-5)


def test_only_allowed_tokens_are_drawn() -> None:
    token, logprob = Sampler(Sampling(temperature=0)).draw(LOGITS, np.array([0, 3]))
    assert token == 3
    assert logprob == pytest.approx(np.log(0.6), abs=1e-5)  # of what could be drawn at all


def test_equal_seeds_draw_equal_tokens_and_others_do_not() -> None:
    assert draw_many(Sampling(seed=1)) == draw_many(Sampling(seed=1))
    assert draw_many(Sampling(seed=1)) != draw_many(Sampling(seed=2))


@pytest.mark.parametrize(
    ("sampling", "possible"),
    [
        (Sampling(top_k=2, seed=0), {1, 2}),
        (Sampling(top_p=0.6, seed=0), {1, 2}),
        (Sampling(top_p=0.5, seed=0), {1}),
        (Sampling(min_p=0.4, seed=0), {1, 2}),
        (Sampling(seed=0), {0, 1, 2, 3}),
    ],
)
def test_the_tail_is_cut(sampling: Sampling, possible: set[int]) -> None:
    assert set(draw_many(sampling)) == possible


def test_frequencies_follow_the_probabilities() -> None:
    drawn = draw_many(Sampling(seed=3), 4000)
    assert drawn.count(1) / 4000 == pytest.approx(0.5, abs=0.04)


def test_penalties_and_bias_change_the_choice() -> None:
    sampler = Sampler(Sampling(temperature=0, presence_penalty=2))
    assert [sampler.draw(LOGITS)[0] for _ in range(4)] == [1, 2, 3, 0]
    assert Sampler(Sampling(temperature=0, logit_bias={0: 100})).draw(LOGITS)[0] == 0


def test_alternatives_come_best_first() -> None:
    (first, probability), (second, _) = top_logprobs(LOGITS, 2)
    assert (first, second) == (1, 2)
    assert probability == pytest.approx(np.log(0.5), abs=1e-5)
