"""The bound that leaves all but one in twenty right answers."""

import pytest

from training.gate.calibration import least_confidence


def test_one_right_answer_in_twenty_may_be_lost():
    judged = [(-0.1 * number, True) for number in range(40)]
    bound = least_confidence(judged)
    assert bound == pytest.approx(-3.7, abs=0.011)
    assert sum(sure >= bound for sure, _ in judged) == 38


def test_wrong_answers_and_silent_engines_do_not_count():
    judged = [(-0.1 * number, True) for number in range(40)]
    others = [(-9.0, False), (None, True)] * 20
    assert least_confidence(judged + others) == least_confidence(judged)


def test_a_few_right_answers_say_nothing():
    assert least_confidence([(-1.0, True)] * 19 + [(-1.0, False)] * 100) is None
