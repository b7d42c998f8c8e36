"""In which order holes are drawn that choose a checkpoint."""

from collections import Counter

import pytest

pytest.importorskip("datasketch", reason="needs the train extra: run `tenon setup train`")

from training.evaluation.examples import FimExample
from training.questions import fair_order


def hole(number: int, *, file: str, kind: str = "line") -> FimExample:
    return FimExample(f"{kind}/{file}:{number}", "", "", f"y = {number}", path=file)


def test_every_beginning_is_a_fair_share_of_files_and_kinds():
    holes = [hole(n, file="big.py") for n in range(80)]
    holes += [hole(n, file="big.py", kind="body") for n in range(80, 120)]
    holes += [hole(n, file="small.py") for n in range(120, 160)]
    order = fair_order(holes, 1)
    assert sorted(order, key=holes.index) == holes
    for part in (16, 40, 80):
        strata = Counter((it.file, it.id.partition("/")[0]) for it in order[:part])
        assert strata["big.py", "line"] == pytest.approx(part / 2, abs=1)
        assert strata["big.py", "body"] == pytest.approx(part / 4, abs=1)
    assert fair_order(holes, 1) == order
    assert fair_order(holes, 2) != order


def test_of_files_with_one_hole_each_the_order_is_drawn():
    holes = [hole(n, file=f"{n}.py") for n in range(50)]
    assert fair_order(holes, 1) != holes
    assert set(fair_order(holes, 1)[:10]) != set(fair_order(holes, 2)[:10])
