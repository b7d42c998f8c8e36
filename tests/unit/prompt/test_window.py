"""Windows: within budget, anchored, and a function of the document alone."""

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.prompt.window import Budget, window

BUDGET = Budget(prefix=256, suffix=64, output=32)
LINES = [f"line {number} = {'x' * (number % 37)}\n" for number in range(400)]
DOCUMENT = "".join(LINES)


def count(lines: Sequence[str]) -> list[int]:
    return [len(line) // 3 + 1 for line in lines]


def edges(cursor: int, document: str = DOCUMENT, budget: Budget = BUDGET) -> tuple[int, int]:
    cut = window(document[:cursor], document[cursor:], budget, count)
    assert document[:cursor].endswith(cut.prefix)
    assert document[cursor:].startswith(cut.suffix)
    return cursor - len(cut.prefix), cursor + len(cut.suffix)


def test_a_small_document_is_taken_whole() -> None:
    assert edges(20, DOCUMENT[:90]) == (0, 90)


def test_edges_stand_at_line_boundaries() -> None:
    for cursor in range(5000, 5200):
        start, end = edges(cursor)
        assert DOCUMENT[start - 1] == "\n"
        assert DOCUMENT[end - 1] == "\n"


def test_the_left_edge_moves_in_steps_of_a_quarter_of_the_budget() -> None:
    starts = sorted({edges(cursor)[0] for cursor in range(3000, 9000)})
    steps = [later - earlier for earlier, later in itertools.pairwise(starts)]
    # A step is a quarter of the budget in characters, then on to the next line start.
    assert min(steps) >= BUDGET.prefix * 3 // 4 - max(map(len, LINES))
    assert len(starts) <= 6000 // (BUDGET.prefix * 3 // 4) + 2


def test_typing_leaves_the_right_edge_where_it_is() -> None:
    before, after = DOCUMENT[:6000], DOCUMENT[6000:]
    suffixes = {
        window(before + typed, after, BUDGET, count).suffix
        for typed in ("", "a", "ab", "ab\n", "ab\n    cd", "ab\n    cd\n\n")
    }
    assert len(suffixes) == 1


def test_most_of_the_budget_is_used() -> None:
    for cursor in range(4000, 8000, 97):
        cut = window(DOCUMENT[:cursor], DOCUMENT[cursor:], BUDGET, count)
        assert sum(count(cut.prefix.split("\n"))) > BUDGET.prefix * 0.6


def test_a_minified_line_is_cut_inside() -> None:
    start, end = edges(50_000, "x" * 100_000)
    assert 50_000 - start <= BUDGET.prefix
    assert 0 < end - 50_000 <= BUDGET.suffix


def byte_tokens(text: str) -> int:
    """What the densest vocabulary makes of figures and of other scripts."""
    return len(text.encode())


@pytest.mark.parametrize("sign", ["7", "é", "漢", "🦉"])
@pytest.mark.parametrize("cursor", [60, 100, 200, 300, 1_000, 5_000])
def test_dense_lines_are_cut_to_the_budget(sign: str, cursor: int) -> None:
    document = sign * 10_000
    start, end = edges(cursor, document)
    assert 0 < byte_tokens(document[start:cursor]) <= BUDGET.prefix
    assert 0 < byte_tokens(document[cursor:end]) <= BUDGET.suffix


@pytest.mark.parametrize("sign", ["7", "漢", "🦉", "x"])
def test_typing_in_a_long_line_moves_the_cut_seldom(sign: str) -> None:
    starts = [edges(cursor, sign * 10_000)[0] for cursor in range(2_000, 3_000)]
    assert starts == sorted(starts)
    assert len(set(starts)) <= 1 + 1_000 * 16 // (3 * BUDGET.prefix) + 1


def test_other_lines_stay_where_the_cursors_line_is_dense() -> None:
    line = "漢" * 60
    cut = window(f"a = 1\n{line}", "", BUDGET, count)
    assert cut.prefix == f"a = 1\n{line}"
    cut = window(f"{DOCUMENT}{line}", "", BUDGET, count)
    assert cut.prefix.endswith(line)
    assert sum(count(cut.prefix.split("\n")[:-1])) + byte_tokens(line) <= BUDGET.prefix


def test_no_budget_no_text() -> None:
    nothing = Budget(prefix=0, suffix=0, output=1)
    assert edges(6000, budget=nothing) == (6000, 6000)


@given(st.text(alphabet="ab \n\t\r\u2028é", max_size=3000), st.data())
def test_any_text_fits_its_budget(document: str, data: st.DataObject) -> None:
    cursor = data.draw(st.integers(0, len(document)))
    budget = Budget(prefix=60, suffix=20, output=1)
    cut = window(document[:cursor], document[cursor:], budget, count)
    assert document[:cursor].endswith(cut.prefix)
    assert document[cursor:].startswith(cut.suffix)
    *lines, cursor_line = cut.prefix.split("\n")
    used = sum(count([line + "\n" for line in lines])) + len(cursor_line) // 3
    assert used <= budget.prefix
