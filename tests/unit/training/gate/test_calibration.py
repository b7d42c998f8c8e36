"""The bound that leaves 97 of 100 right answers."""

import pytest

from training.gate.calibration import least_confidence

RIGHT = [(-0.1 * number, True) for number in range(100)]


def test_three_right_answers_of_a_hundred_may_be_lost():
    bound = least_confidence(RIGHT)
    assert bound == pytest.approx(-9.6, abs=0.011)
    assert sum(sure >= bound for sure, _ in RIGHT) == 97


def test_wrong_answers_and_silent_engines_do_not_count():
    others = [(-9.0, False), (None, True)] * 20
    assert least_confidence(RIGHT + others) == least_confidence(RIGHT)


def test_of_few_right_answers_none_is_lost():
    assert least_confidence(RIGHT[:20]) == pytest.approx(-1.9, abs=0.011)


def test_fewer_say_nothing():
    assert least_confidence(RIGHT[:19] + [(-1.0, False)] * 100) is None
