import ast
from collections import Counter
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data import spans
from training.data.spans import MAX_CHARACTERS, MAX_LINES, MIN_CHARACTERS, choose, outline

PIECES = (
    "import os", "", "# Kommentar: größer 🙂", "x = 'größer' + f(1)  # ß",
    "été = {'🙂': [1, 2]}; y = 3",
    "def f(a, b=(1, 2)):\n    '''Docs.'''\n    if a:\n        return [a, b]\n    return 'é' * 3",
    'class Größe(A):\n    """Ü."""\n\n    @property\n    def größe(self):\n        return self.x',
    "try:\n\tf(1,\n\t  'é')\nexcept ValueError as error:\n\traise\nfinally:\n\tclose(été)",
    "\x0c", "text = '''\nmehrere\n  Zeilen 🙂\n'''",
    "async def g():\n    async with a as b:\n        await b.read()",
    "for i in range(3): print(i)\nelse: pass",
    "@decorated(1)\n@ twice\ndef h(): return 1", "   ", "print(f'{x!r:>10} {été[0]}')",
)  # fmt: skip
SOURCES = st.builds(
    lambda pieces, end: "\n".join(pieces) + end,
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=8),
    st.sampled_from(["\n", ""]),
)
LONG = "def long():\n" + "".join(f"    value_{number} = {number}\n" for number in range(60))


def sources() -> list[str]:
    return ["\n\n".join(PIECES) + "\n", "\n".join(reversed(PIECES)), LONG, "x"]


def drawn(kind: str, monkeypatch: pytest.MonkeyPatch, text: str) -> list[tuple[str, str, str]]:
    """Many (prefix, middle, suffix) of one kind."""
    monkeypatch.setattr(spans, "KINDS", {kind: 1})
    found, random = outline(text), Random(1)
    assert found is not None
    cuts = [choose(found, random) for _ in range(300)]
    assert all(0 <= start <= end <= len(text) for start, end in cuts)
    return [(text[:start], text[start:end], text[end:]) for start, end in cuts]


@given(text=SOURCES, seed=st.integers(0, 1000))
def test_whatever_is_cut_out_lies_in_the_text(text: str, seed: int):
    found = outline(text)
    if found is None:
        assert not text.strip()
        return
    random = Random(seed)
    for _ in range(10):
        start, end = choose(found, random)
        assert 0 <= start <= end <= len(text)


@given(text=SOURCES)
def test_syntax_lies_where_python_says(text: str):
    found = outline(text)
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.expr, ast.stmt))]
    segments = [ast.get_source_segment(text, node) for node in nodes]
    sized = [segment for segment in segments if MIN_CHARACTERS <= len(segment) <= MAX_CHARACTERS]
    cut = [text[start:end] for start, end in found.nodes] if found else []
    assert Counter(cut) == Counter(sized)


@given(text=SOURCES)
def test_lines_are_those_that_hold_text(text: str):
    found = outline(text)
    lines = found.lines if found else ()
    assert [text[start:end] for start, _, end in lines] == [
        line for line in text.split("\n") if line.strip()
    ]
    assert all(not text[start:first].strip() for start, first, _ in lines)
    assert all(text[first].strip() for _, first, _ in lines)
    assert all(start == 0 or text[start - 1] == "\n" for start, _, _ in lines)


@pytest.mark.parametrize(
    "text", ["", "\n \n", "def f(:", "x = (", "\x00", "x = '\ud800'", "  x = 1"]
)
def test_no_outline_of_what_is_no_python_or_empty(text: str):
    assert outline(text) is None


def test_invalid_escapes_are_the_corpus_own_business():
    assert outline("x = '\\d'\n") is not None


def test_bodies_are_blocks_without_their_docstrings():
    text = 'class A:\n    """D."""\n\n    def f(self):\n        "d"\n        a()\n        é()\n'
    found = outline(text)
    assert sorted(text[start:end] for start, end in found.blocks) == [
        "a()\n        é()",
        'def f(self):\n        "d"\n        a()\n        é()',
    ]


def test_every_branch_is_a_block():
    text = (
        "try:\n    aa\nexcept E:\n    bb\nelse:\n    cc\nfinally:\n    dd\n"
        "if x:\n    ee\nelse:\n    ff"
    )
    found = outline(text)
    assert sorted(text[start:end] for start, end in found.blocks) == [
        "aa", "bb", "cc", "dd", "ee", "ff",
    ]  # fmt: skip


def test_lines_of_a_functions_body_are_likelier():
    text = 'import os\ndef f():\n    "Docs."\n    return 1\n\nprint(f())\n'
    found = outline(text)
    weights = [after - before for before, after in pairwise((0, *found.weights))]
    assert weights == [1, 1, 1, spans.BODY_WEIGHT, 1]


@pytest.mark.parametrize("text", sources())
def test_a_line_is_cut_out_whole(text: str, monkeypatch):
    lines = {line.strip() for line in text.split("\n") if line.strip()}
    cuts = drawn("line", monkeypatch, text)
    assert {middle.strip() for _, middle, _ in cuts} <= lines
    if "\n" in text.strip():
        beginnings = {middle[0] == "\n" for _, middle, _ in cuts}
        assert beginnings == {True, False}
        assert {middle.endswith("\n") for _, middle, _ in cuts} == {True, False}


@pytest.mark.parametrize("text", sources())
def test_the_end_of_a_line_may_leave_closing_brackets(text: str, monkeypatch):
    left = set()
    for before, middle, after in drawn("line_end", monkeypatch, text):
        rest = after.partition("\n")[0]
        assert "\n" not in middle
        assert not rest.strip(")]}:,'\"")
        assert before.rpartition("\n")[2].strip() or middle.strip() or rest
        left.add(rest)
    assert left >= ({"", ")", ":"} if text.startswith(PIECES[0]) else {""})


@pytest.mark.parametrize("text", sources())
def test_nothing_is_cut_out_at_the_end_of_a_line(text: str, monkeypatch):
    for before, middle, after in drawn("empty", monkeypatch, text):
        assert middle == ""
        assert after[:1] in {"\n", ""}
        assert before.rpartition("\n")[2].strip()


@pytest.mark.parametrize("text", sources()[:3])
def test_a_block_begins_and_ends_at_lines_and_has_a_limit(text: str, monkeypatch):
    cuts = drawn("block", monkeypatch, text)
    assert all(middle.count("\n") <= MAX_LINES for _, middle, _ in cuts)
    assert all(middle.strip() for _, middle, _ in cuts)
    assert max(middle.count("\n") for _, middle, _ in cuts) == (MAX_LINES if text == LONG else 2)


@pytest.mark.parametrize("text", sources())
def test_any_characters(text: str, monkeypatch):
    lengths = {len(middle) for _, middle, _ in drawn("characters", monkeypatch, text)}
    assert min(lengths) > 0
    assert max(lengths) <= MAX_CHARACTERS


def test_syntax_or_a_block_is_a_line_where_there_is_none(monkeypatch):
    for kind in ("syntax", "block"):
        assert {middle for _, middle, _ in drawn(kind, monkeypatch, "x")} == {"x"}


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
