import random

import pytest

from lsp_server.store.trainer_state import DriftScores
from training.watching.drift_scores import KEPT, LEAST_FILES, drift_of, together


def scores(*of_files: tuple[float, ...], adapter: str = "a", first: int = 0) -> DriftScores:
    """Scores of files with numbers for names, one tuple each."""
    spans = ((f"{first + at}.py", nll) for at, it in enumerate(of_files) for nll in it)
    return DriftScores(adapter=adapter, gate=1.0, spans=tuple(spans))


def test_few_files_say_nothing_however_many_spans_they_have():
    assert drift_of(scores()) is None
    assert drift_of(scores(*[(5.0,) * 6] * (LEAST_FILES - 1))) is None


def test_what_is_certainly_worse_is_told_and_what_may_be_chance_is_not():
    assert drift_of(scores(*[(1.5, 1.5)] * LEAST_FILES)) == pytest.approx(0.5)
    found = drift_of(scores(*[(0.1,), (2.9,)] * (LEAST_FILES // 2)))  # 0.5 above on average
    assert found is not None
    assert found < 0.1


def test_what_one_file_says_many_times_is_said_once():
    once = drift_of(scores(*[(0.9,), (2.9,)] * (LEAST_FILES // 2)))
    often = drift_of(scores(*[(0.9,) * 5, (2.9,) * 5] * (LEAST_FILES // 2)))
    assert often == pytest.approx(once)


def test_of_an_adapter_that_is_as_good_as_ever_one_look_in_twenty_says_otherwise():
    draw = random.Random(1)
    alarms = 0
    for _ in range(2_000):
        of_files = []
        for _ in range(LEAST_FILES):
            file = draw.gauss(1.0, 0.5)
            of_files.append(tuple(draw.gauss(file, 0.5) for _ in range(3)))
        alarms += (drift_of(scores(*of_files)) or 0.0) > 0
    assert 60 <= alarms <= 140


def test_looks_add_up_for_one_adapter():
    first = together(None, scores(*[(1.0,)] * KEPT))
    both = together(first, scores(*[(2.0,)] * 40, first=KEPT))
    assert [nll for _, nll in both.spans] == [1.0] * (KEPT - 40) + [2.0] * 40
    assert together(both, scores((3.0,), adapter="b")).spans == (("0.py", 3.0),)


def test_a_file_that_is_asked_about_again_has_its_new_scores_alone():
    before = scores((1.0, 1.0), (2.0,))
    after = together(before, scores((4.0,), first=1))
    assert after.spans == (("0.py", 1.0), ("0.py", 1.0), ("1.py", 4.0))
