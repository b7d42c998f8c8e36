"""What counts as right, as acceptable, and as a repetition of code below."""

from tests.benchmarks.typing.judging import expects, judge
from tests.benchmarks.typing.traces import Stroke, Task
from tests.benchmarks.typing.typist import Typist

STROKES = tuple(Stroke(10.0) for _ in range(200))


def typist(text: str, done: int = 0, right: str = "\n", closers: str = "") -> Typist:
    return Typist(Task("a.py", 0, text, 0.0, STROKES), 0, right, done=done, closers=closers)


def test_the_rest_of_the_line_is_right_whatever_follows_it():
    here = typist("return value\n    done()", 7)
    verdict = judge("value\n    other()", 0, here)
    assert verdict.right
    assert not verdict.whole


def test_four_characters_of_what_comes_are_right_and_three_are_not():
    here = typist("return value_of(x)", 7)
    assert judge("valu", 0, here).right
    assert not judge("val", 0, here).right


def test_a_short_rest_of_a_line_is_right():
    assert judge(":", 0, typist("else:", 4)).right


def test_nothing_is_right_where_something_wrong_stands():
    here = typist("abcdef")
    here.stray = "x"
    assert not expects(here)
    assert not judge("abcdef", 0, here).right


def test_a_closer_that_the_editor_put_there_must_be_replaced_or_left_out():
    here = typist("f(a, b)\n", 2, closers=")")
    assert judge("a, b", 0, here).whole
    assert judge("a, b)", 1, here).whole
    doubled = judge("a, b)", 0, here)
    assert not doubled.right
    assert not doubled.whole


def test_a_line_of_the_code_below_is_a_repetition():
    here = typist("    first = 1", 4, right="\n    second = compute(2)\n    third = 3\n")
    assert judge("first = 1\n    second = compute(2)", 0, here).repeats
    assert not judge("first = 1\n    other = 2", 0, here).repeats


def test_two_lines_further_below_are_one_too():
    below = "\n    unlike()\n    second = compute(2)\n    third = compute(3)\n"
    here = typist("    first = 1", 4, right=below)
    assert judge("first = 1\n    second = compute(2)\n    third = compute(3)", 0, here).repeats
    assert not judge("first = 1\n    third = compute(3)", 0, here).repeats


def test_the_rest_of_the_line_said_again_is_a_repetition():
    assert judge("b, key=value)", 0, typist("", right=", key=value)\n")).repeats


def test_code_that_really_comes_twice_is_none():
    here = typist("    second = compute(2)", 4, right="\n    second = compute(2)\n")
    assert not judge("second = compute(2)", 0, here).repeats
