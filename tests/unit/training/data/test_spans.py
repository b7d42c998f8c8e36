from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.python_sources import PIECES, SOURCES
from training.data import spans
from training.data.spans import KINDS, MAX_BLOCK_END, MAX_LINES, REPOSITORY_KINDS, choose
from training.outlines.outline import outline
from training.outlines.parts import MAX_CHARACTERS

LONG = "def long():\n" + "".join(f"    value_{number} = {number}\n" for number in range(60))


def sources() -> list[str]:
    return ["\n\n".join(PIECES) + "\n", "\n".join(reversed(PIECES)), LONG, "x"]


def drawn(kind: str, text: str) -> list[tuple[str, str, str]]:
    """Many (prefix, middle, suffix) of one kind."""
    found, random = outline(text), Random(1)
    assert found is not None
    cuts = [choose(found, random, {kind: 1}) for _ in range(300)]
    assert all(0 <= cut.start <= cut.end <= len(text) for cut in cuts)
    return [(text[: cut.start], text[cut.start : cut.end], text[cut.end :]) for cut in cuts]


@given(text=SOURCES, seed=st.integers(0, 1000), shares=st.sampled_from([KINDS, REPOSITORY_KINDS]))
def test_whatever_is_cut_out_lies_in_the_text(text: str, seed: int, shares: dict[str, int]):
    found = outline(text)
    if found is None:
        assert not text.strip()
        return
    random = Random(seed)
    for _ in range(10):
        cut = choose(found, random, shares)
        assert 0 <= cut.start <= cut.end <= len(text)
        assert cut.kind in shares


@pytest.mark.parametrize("text", sources())
def test_a_line_is_cut_out_whole(text: str):
    lines = {line.strip() for line in text.split("\n") if line.strip()}
    cuts = drawn("line", text)
    assert {middle.strip() for _, middle, _ in cuts} <= lines
    if "\n" in text.strip():
        beginnings = {middle[0] == "\n" for _, middle, _ in cuts}
        assert beginnings == {True, False}
        assert {middle.endswith("\n") for _, middle, _ in cuts} == {True, False}


@pytest.mark.parametrize("text", sources())
def test_the_end_of_a_line_may_leave_closing_brackets(text: str):
    left = set()
    for before, middle, after in drawn("line_end", text):
        rest = after.partition("\n")[0]
        assert "\n" not in middle
        assert not rest.strip(")]}:,'\"")
        assert before.rpartition("\n")[2].strip() or middle.strip() or rest
        left.add(rest)
    assert left >= ({"", ")", ":"} if text.startswith(PIECES[0]) else {""})


@pytest.mark.parametrize("text", sources())
def test_nothing_is_cut_out_at_the_end_of_a_line(text: str):
    for before, middle, after in drawn("empty", text):
        assert middle == ""
        assert after[:1] in {"\n", ""}
        assert before.rpartition("\n")[2].strip()


@pytest.mark.parametrize("text", sources()[:3])
def test_a_block_begins_and_ends_at_lines_and_has_a_limit(text: str):
    cuts = drawn("block", text)
    assert all(middle.count("\n") <= MAX_LINES for _, middle, _ in cuts)
    assert all(middle.strip() for _, middle, _ in cuts)
    assert max(middle.count("\n") for _, middle, _ in cuts) == (MAX_LINES if text == LONG else 2)


@pytest.mark.parametrize("text", sources())
def test_any_characters(text: str):
    lengths = {len(middle) for _, middle, _ in drawn("characters", text)}
    assert min(lengths) > 0
    assert max(lengths) <= MAX_CHARACTERS


def test_syntax_or_a_block_is_a_line_where_there_is_none():
    for kind in ("syntax", "block", "block_end", "pair"):
        assert {middle for _, middle, _ in drawn(kind, "x")} == {"x"}
        assert choose(outline("x"), Random(1), {kind: 1}).kind == "line"


def test_a_function_alone_is_a_file_of_its_own():
    text = (
        "import os\n\nclass A:\n    @property\n    @ cached(é=1)\n    async def f(self):\n"
        "        é()\n        return 1\n\n    def g(self): pass\n"
    )
    found, random = outline(text), Random(1)
    assert {spans.function_alone(found, random) for _ in range(30)} == {
        "@property\n@ cached(é=1)\nasync def f(self):\n    é()\n    return 1\n",
        "def g(self): pass\n",
    }
    assert spans.function_alone(outline("x = 1"), random) is None


@pytest.mark.parametrize("text", sources()[:3])
def test_the_end_of_a_block_is_reached_from_a_cursor_in_it(text: str):
    ends = {text[:end] for _, end in outline(text).blocks}
    for before, middle, after in drawn("block_end", text):
        assert 0 < len(middle) <= MAX_BLOCK_END
        # No cursor in an indentation, unless behind the newline's own line.
        assert before.rpartition("\n")[2].strip() or not middle[0].isspace()
        assert before + middle in ends or after.startswith("\n")


def test_the_end_of_a_block_has_a_limit_even_in_one_line():
    text = "if x:\n    f(" + "1, " * 1000 + ")\n"
    assert max(len(middle) for _, middle, _ in drawn("block_end", text)) == MAX_BLOCK_END


def test_a_pair_is_a_documented_body_where_there_is_one():
    plain, documented = "def f(a):\n    return a\n", 'def g(a):\n    """Docs."""\n    return -a\n'
    assert {middle for _, middle, _ in drawn("pair", plain + documented)} == {"\n    return -a"}
    assert {middle for _, middle, _ in drawn("pair", plain)} == {"\n    return a"}


def test_shares_are_kept_to():
    found, random = outline("\n\n".join(PIECES)), Random(1)
    kinds = Counter(choose(found, random, REPOSITORY_KINDS).kind for _ in range(5000))
    assert kinds.keys() == REPOSITORY_KINDS.keys()
    assert sum(REPOSITORY_KINDS.values()) == 100
    for kind, share in REPOSITORY_KINDS.items():
        assert kinds[kind] / 50 == pytest.approx(share, abs=2)


def test_a_starters_mixture_stays_as_it_was_measured():
    text = "\n\n".join(PIECES)
    found, random = outline(text), Random(7)
    cuts = [choose(found, random) for _ in range(6)]
    assert [(cut.kind, cut.start, cut.end) for cut in cuts] == [
        ("line", 126, 135), ("line", 355, 364), ("line_end", 333, 339),
        ("line_end", 97, 106), ("line_end", 507, 521), ("syntax", 292, 302),
    ]  # fmt: skip
