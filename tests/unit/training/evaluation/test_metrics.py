import pytest

from training.evaluation.metrics import (
    Answer,
    Result,
    edit_similarity,
    exact,
    exact_first_line,
    first_line,
    pass_at,
    summarise,
)


def result(name: str, *answers: Answer, middle: str = "    x = 1\n", **scores) -> Result:
    return Result(name, middle, answers, **scores)


@pytest.mark.parametrize(
    ("answer", "first", "whole"),
    [
        ("    x = 1\n", True, True),
        ("x = 1", True, True),
        ("\n    x = 1", True, True),
        ("\n\n  x = 1\n    y = 2\n", True, False),
        ("x = 1  # one", False, False),
        ("x  = 1", False, False),
        ("", False, False),
    ],
)
def test_exact_matches_of_a_line(answer: str, first: bool, whole: bool):
    for middle in ("    x = 1\n", "\n    x = 1\n"):  # as two data sets cut out the same line
        assert exact_first_line(answer, middle) is first
        assert exact(answer, middle) is whole


def test_of_a_block_the_first_line_counts():
    assert exact_first_line("if x:\n  pass", "if x:\n    return\n")
    assert not exact("if x:\n  pass", "if x:\n    return\n")


def test_only_line_feeds_end_lines():
    assert first_line("\n \t\n a\fb \r\nc") == "a\fb"
    assert first_line(" \n") == ""


def test_edit_similarity_is_of_the_first_lines():
    assert edit_similarity("abcd\nmore", "abce") == pytest.approx(0.75)
    assert edit_similarity("", "abc") == 0
    assert edit_similarity("", "\n") == 1


@pytest.mark.parametrize(
    ("samples", "passed", "k", "chance"),
    [(1, 1, 1, 1), (1, 0, 1, 0), (4, 1, 1, 0.25), (4, 1, 4, 1), (4, 2, 2, 1 - 1 / 6), (4, 0, 4, 0)],
)
def test_pass_at_k_is_unbiased(samples: int, passed: int, k: int, chance: float):
    assert pass_at(samples, passed, k) == pytest.approx(chance)


def test_a_summary_weighs_examples_alike_and_tokens_alike():
    right, wrong = (
        Answer("x = 1", stopped=True, passed=True),
        Answer("y", stopped=False, passed=False),
    )
    summary = summarise(
        [
            result("a", right, right, logprob=-1.0, tokens=1),
            result("b", right, wrong, logprob=-2.0, tokens=3),
            result("c", wrong, wrong),
        ]
    )
    assert summary.n == 3
    assert summary.exact_match == summary.exact_match_untruncated == pytest.approx(0.5)
    assert summary.stop_rate == pytest.approx(0.5)
    assert summary.nll == pytest.approx(3 / 4)
    assert summary.pass_at_1 == pytest.approx(0.5)
    assert summary.pass_at_k == pytest.approx(2 / 3)


def test_answers_that_are_cut_by_rule_say_nothing_about_stopping():
    cut = result("a", Answer("x = 1", stopped=None))
    assert summarise([cut]).stop_rate is None
    assert summarise([cut, result("b", Answer("x", stopped=True))]).stop_rate == 1


def test_what_was_not_measured_is_none():
    empty = summarise([])
    assert empty.n == 0
    assert {empty.exact_match, empty.nll, empty.pass_at_1, empty.pass_at_k} == {None}
    greedy = summarise([result("a", Answer("x = 1", stopped=True))])
    assert greedy.exact_match == 1
    assert {greedy.nll, greedy.pass_at_1, greedy.pass_at_k} == {None}
    executed = summarise([result("a", Answer("x = 1", stopped=True, passed=False))])
    assert (executed.pass_at_1, executed.pass_at_k) == (0, None)
