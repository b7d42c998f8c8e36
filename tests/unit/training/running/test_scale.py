"""The strength of an adapter: as likely as can be, as far as general code bears it."""

import random

import pytest

from training.running.scale import BASE_SCALE, CAUTION, choose_scale

LIMIT = 0.02
LOSSES = {0.25: [0.9, 1.0], 0.5: [0.8, 0.9], 0.75: [0.7, 0.8], 1.0: [0.6, 0.7]}


class General:
    """General code that costs ``by_scale`` over a base of 1 nat."""

    def __init__(self, by_scale: dict[float, float]) -> None:
        self.by_scale = by_scale
        self.asked: list[float] = []

    def __call__(self, scale: float) -> float:
        self.asked.append(scale)
        return 1.0 + ({BASE_SCALE: 0.0} | self.by_scale)[scale]


def test_the_likeliest_serves_if_general_code_bears_it():
    general = General({1.0: 0.001})
    choice = choose_scale(LOSSES, general, LIMIT)
    assert choice.scale == 1.0
    assert general.asked == [BASE_SCALE, 1.0]
    assert choice.rises == {1.0: pytest.approx(0.001)}


def test_what_costs_too_much_is_tried_weaker():
    """The story's own figures: +0.31 nats, and general code costs 0.028 where 0.02 is allowed."""
    general = General({1.0: 0.028, 0.75: 0.017, 0.5: 0.009, 0.25: 0.003})
    choice = choose_scale(LOSSES, general, LIMIT)
    assert choice.scale == 0.5
    assert general.asked == [BASE_SCALE, 1.0, 0.75, 0.5]
    assert choice.rises[0.75] > CAUTION * LIMIT


def test_stronger_than_the_likeliest_is_never_tried():
    general = General({0.5: 0.03, 0.25: 0.01, 1.0: 0.0})
    assert choose_scale(LOSSES | {0.5: [0.1, 0.1]}, general, LIMIT).scale == 0.25
    assert 1.0 not in general.asked


def test_where_nothing_is_bearable_the_gate_is_asked_of_the_least():
    choice = choose_scale(LOSSES, General(dict.fromkeys(LOSSES, 0.5)), LIMIT)
    assert choice.scale == min(LOSSES)
    assert set(choice.rises) == set(LOSSES)


def test_without_general_code_the_likeliest_serves():
    assert choose_scale(LOSSES, None, LIMIT).scale == 1.0


def test_what_the_likeliest_may_have_by_chance_is_not_worth_its_strength():
    """Means that differ by less than one standard error of the spans' differences are alike."""
    draw = random.Random(1)
    weak = [draw.gauss(1.0, 0.5) for _ in range(60)]
    chance = [it - draw.gauss(0.004, 0.2) for it in weak]
    certain = [it - draw.gauss(0.1, 0.05) for it in weak]
    assert choose_scale({0.5: weak, 1.0: chance}, None, LIMIT).scale == 0.5
    assert choose_scale({0.5: weak, 1.0: certain}, None, LIMIT).scale == 1.0


def test_of_scales_that_are_alike_general_code_is_asked_at_the_least():
    general = General({0.5: 0.001})
    alike = {0.5: [0.6, 0.8], 0.75: [0.7, 0.69], 1.0: [0.8, 0.59]}
    assert choose_scale(alike, general, LIMIT).scale == 0.5
    assert general.asked == [BASE_SCALE, 0.5]


def test_one_span_tells_nothing_of_chance():
    assert choose_scale({0.5: [0.8], 1.0: [0.7]}, None, LIMIT).scale == 1.0
