import pytest

from lsp_server.store.trainer_state import DriftScores
from training.watching.drift_scores import KEPT, LEAST, drift_of, together


def scores(nll: tuple[float, ...], adapter: str = "a") -> DriftScores:
    return DriftScores(adapter=adapter, gate=1.0, nll=nll)


def test_few_spans_say_nothing():
    assert drift_of(scores((5.0,) * (LEAST - 1))) is None


def test_what_is_certainly_worse_is_told_and_what_may_be_chance_is_not():
    assert drift_of(scores((1.5,) * LEAST)) == pytest.approx(0.5)
    wild = scores((0.1, 2.9) * (LEAST // 2))  # 0.5 above on average
    found = drift_of(wild)
    assert found is not None
    assert found < 0.1


def test_looks_add_up_for_one_adapter():
    first = together(None, scores((1.0,) * 40))
    both = together(first, scores((2.0,) * 40))
    assert both.nll == (1.0,) * (KEPT - 40) + (2.0,) * 40
    assert together(both, scores((3.0,), "b")).nll == (3.0,)
