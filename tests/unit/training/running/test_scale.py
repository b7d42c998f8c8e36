"""The strength of an adapter: what it wins for certain, as far as general code bears it."""

import random

import pytest

from training.running.scale import BASE_SCALE, CAUTION, choose_scale

LIMIT = 0.02
LOSSES = {
    BASE_SCALE: [1.0, 1.1], 0.25: [0.9, 1.0], 0.5: [0.8, 0.9], 0.75: [0.7, 0.8], 1.0: [0.6, 0.7],
}  # fmt: skip
SCALES = [scale for scale in LOSSES if scale != BASE_SCALE]


class General:
    """General code that costs ``by_scale`` over a base of 1 nat."""

    def __init__(self, by_scale: dict[float, float]) -> None:
        self.by_scale = by_scale
        self.asked: list[float] = []

    def __call__(self, scale: float) -> float:
        self.asked.append(scale)
        return 1.0 + ({BASE_SCALE: 0.0} | self.by_scale)[scale]


def test_what_wins_most_serves_if_general_code_bears_it():
    general = General({1.0: 0.001})
    choice = choose_scale(LOSSES, general, LIMIT)
    assert choice.scale == 1.0
    assert general.asked == [BASE_SCALE, 1.0]
    assert choice.rises == {1.0: pytest.approx(0.001)}
    assert choice.losses[BASE_SCALE] == pytest.approx(1.05)


def test_what_costs_too_much_is_tried_weaker():
    """The story's own figures: +0.31 nats, and general code costs 0.028 where 0.02 is allowed."""
    general = General({1.0: 0.028, 0.75: 0.017, 0.5: 0.009, 0.25: 0.003})
    choice = choose_scale(LOSSES, general, LIMIT)
    assert choice.scale == 0.5
    assert general.asked == [BASE_SCALE, 1.0, 0.75, 0.5]
    assert choice.rises[0.75] > CAUTION * LIMIT


def test_stronger_than_the_best_is_never_tried():
    general = General({0.5: 0.03, 0.25: 0.01, 1.0: 0.0})
    assert choose_scale(LOSSES | {0.5: [0.1, 0.1]}, general, LIMIT).scale == 0.25
    assert 1.0 not in general.asked


def test_where_nothing_is_bearable_the_gate_is_asked_of_the_least():
    choice = choose_scale(LOSSES, General(dict.fromkeys(SCALES, 0.5)), LIMIT)
    assert choice.scale == min(SCALES)
    assert set(choice.rises) == set(SCALES)


def test_without_general_code_what_wins_most_serves():
    assert choose_scale(LOSSES, None, LIMIT).scale == 1.0


def moved(gain: float, chance: float, best: float) -> dict[float, list[float]]:
    """Losses of an adapter that wins most at ``best``, and moves each span by chance besides."""
    draw = random.Random(1)
    drift = [draw.gauss(0.0, chance) for _ in range(60)]
    drift = [it - sum(drift) / len(drift) for it in drift]

    def at(scale: float) -> list[float]:
        won = gain * (1 - (1 - scale / best) ** 2)
        return [1.0 - won + scale * it for it in drift]

    return {scale: at(scale) for scale in LOSSES}


@pytest.mark.parametrize(
    ("chance", "scale"), [(0.0, 1.0), (0.1, 1.0), (0.5, 0.75), (0.8, 0.5), (3.0, 0.25)]
)
def test_the_less_certain_a_gain_is_the_weaker_it_serves(chance: float, scale: float):
    assert choose_scale(moved(0.1, chance, 1.0), None, LIMIT).scale == scale


def test_what_is_lost_at_any_strength_is_tried_at_the_least():
    assert choose_scale(moved(-0.1, 0.1, 1.0), None, LIMIT).scale == 0.25


def test_one_span_tells_nothing_of_chance():
    losses = {scale: each[:1] for scale, each in LOSSES.items()}
    assert choose_scale(losses, None, LIMIT).scale == 1.0
