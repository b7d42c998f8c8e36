"""What a comparison says must follow from the keystrokes that were noted."""

import math

import pytest

from tests.benchmarks.typing.figures import Figures, compare, quantile, waits
from tests.benchmarks.typing.notes import Keystroke, Replayed
from tests.benchmarks.typing.rows import ROWS, parse
from tests.benchmarks.typing.suggester import Usage


def key(done: int, at: float, right: float | None = None, *, held: bool = False, line: int = 0):
    return Keystroke((0, done), (0, line), "type", at, at + 1.0, True, held, right)


def test_one_waits_until_right_text_came_at_this_key_or_a_later_one_of_the_line():
    found = waits(Replayed("t", "r", [key(1, 0.0), key(2, 1.0), key(3, 2.0, 0.5)]))
    assert [wait.ms for wait in found.values()] == [500.0, 1500.0, 2500.0]
    assert all(wait.met for wait in found.values())


def test_a_line_without_right_text_is_waited_for_to_its_end():
    found = waits(Replayed("t", "r", [key(1, 0.0), key(2, 1.0), key(3, 2.0, 0.1, line=1)]))
    assert (found["t", 0, 1].ms, found["t", 0, 1].met) == (2000.0, False)


def test_what_is_on_the_screen_already_is_not_waited_for():
    (wait,) = waits(Replayed("t", "r", [key(1, 5.0, 0.0, held=True)])).values()
    assert (wait.ms, wait.fresh) == (0.0, False)


def test_a_ratio_is_of_keys_that_both_rows_have():
    one = Replayed("t", "one", [key(at, at, 0.1, line=at) for at in range(8)], usage=Usage(2.0))
    other = Replayed("t", "other", [key(at, at, 0.2, line=at) for at in range(6)], usage=Usage(4.0))
    figures = [Figures.of(row, [one, other]) for row in ("one", "other")]
    found = {ratio.name: ratio for ratio in compare(*figures, figures)}
    assert found["right at the same key, p50, ms"].n == 6
    assert found["right at the same key, p50, ms"].ratio == pytest.approx(0.5)
    assert found["CPU seconds"].ratio == pytest.approx(0.5)


def test_nothing_measured_is_no_figure():
    assert math.isnan(quantile([], 0.5))
    assert math.isnan(Figures.of("one", []).summary()["fresh_p50_ms"])


def test_a_row_is_a_name_or_a_name_with_settings():
    assert parse("infill") is ROWS["infill"]
    row = parse('quick={"debounceMs": 0, "env": {"A": "b"}}')
    assert (row.kind, row.settings, row.env) == ("tenon", {"debounceMs": 0}, {"A": "b"})
    with pytest.raises(ValueError, match="there is no row"):
        parse("nobody")
