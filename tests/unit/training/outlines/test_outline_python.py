import ast
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given

from tests.python_sources import SOURCES
from training.outlines.outline import Unparsed, outline, parse
from training.outlines.parts import BODY_WEIGHT, MAX_CHARACTERS, MIN_CHARACTERS


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
    assert weights == [1, 1, 1, BODY_WEIGHT, 1]


def shown(text: str) -> list[tuple[str, str, str, str, str]]:
    """Every pair: its name and kind, what leads to the body, the body, the docstring."""
    return [
        (pair.name, pair.kind, text[pair.start : pair.body[0]], text[slice(*pair.body)],
         pair.docstring)
        for pair in outline(text).pairs
    ]  # fmt: skip


def bodies(text: str) -> dict[str, str]:
    return {name: body for name, _, _, body, _ in shown(text)}


def test_a_function_its_docstring_and_its_body():
    head = 'def f(a, b=(1, 2)):\n    """Größe 🙂.\n\n    More.\n    """'
    text = f"import os\n\n\n{head}\n    return a\n"
    assert shown(text) == [("f", "function", head, "\n    return a", "Größe 🙂.\n\nMore.")]
    (pair,) = outline(text).pairs
    assert text[pair.start : pair.end] == text[12:-1]


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ("def f(a): ", "return a"),
        ("def f(\n    a,  # one: of\n    b: int = 3,\n):  # two: of\n    ", "return a"),
        ("async def f(*, a: dict = {1: 2}) -> {'a': 1}:\n    ", "await a"),
        ("@ é('🙂')\n@ b\ndef f(é='🙂', /, *ü, **ß: x):\n    ", "# why\n    return é"),
        ("def f():\n    '''Docs.'''  # noqa: X\n\n    ", "x = 1; y = '🙂'  # done"),
        ("def f():\n    'Docs.'; ", "return 1"),
        ("class A(B, metaclass=M):\n    ", "x: int = 1"),
        ("class A: ", "x = 1"),
    ],
)  # fmt: skip
def test_the_body_begins_behind_all_that_stands_before_it(header: str, body: str):
    ((_, _, before, middle, _),) = shown(header + body + "\n")
    assert middle.strip(" \n;") == body
    assert before + middle == header + body
    # A cursor stands at the end of a line there, not in the indentation of the next.
    assert not before.endswith((" ", "\n"))


def test_names_say_where_a_definition_stands():
    text = (
        "class A:\n"
        "    @property\n    def p(self): return 1\n"
        "    if x:\n        def q(self): return 2\n"
        "    class B:\n        async def r(self):\n            def s(): return 3\n"
        "            return s\n"
        "try:\n    def t(): return 4\nexcept E:\n    def u(): return 5\n"
        "match x:\n    case 1:\n        def v(): return 6\n"
    )
    assert [(name, kind) for name, kind, *_ in shown(text)] == [
        ("A", "class"), ("A.p", "method"), ("A.q", "method"), ("A.B", "class"),
        ("A.B.r", "method"), ("A.B.r.s", "function"), ("t", "function"), ("u", "function"),
        ("v", "function"),
    ]  # fmt: skip
    decorated = next(pair for pair in outline(text).pairs if pair.name == "A.p")
    assert text[decorated.start : decorated.end] == "@property\n    def p(self): return 1"


@pytest.mark.parametrize(
    "text",
    [
        "def f(): ...", "def f(): pass", 'def f():\n    """Docs."""', "class E(Exception): pass",
        'class E(Exception):\n    """Docs."""\n', "def f():\n    '''Docs.'''\n    ...",
        "def f():\n    raise NotImplementedError",
        "def f():\n    '''Docs.'''\n    raise NotImplementedError('x' * 3)",
        "@overload\ndef f(a: int) -> int: return 1", "@t.overload\ndef f(a): return a",
        "class A(abc.ABC):\n    '''Docs.'''\n    pass",
        "class P(Protocol):\n    def f(self): return 1",
        "class P(t.Protocol[T]):\n    x: int\n    def f(self): return 1",
    ],
)  # fmt: skip
def test_what_only_declares_is_no_pair(text: str):
    assert shown(text) == []


def test_an_abstract_method_is_no_pair_but_its_neighbours_are():
    text = (
        "class A:\n    @property\n    @abc.abstractmethod\n    def f(self):\n        return 1\n"
        "    def g(self):\n        raise NotImplementedError_()\n"
    )
    assert bodies(text).keys() == {"A", "A.g"}


def test_a_long_class_is_learnt_up_to_its_first_method():
    long = "\n".join(f"        x = {n}" for n in range(70))
    head = '    """Docs."""\n\n    a: int\n    b = 2'
    first = "\n\n    @m\n    def f(self):\n        return 1"
    text = f"class A:\n{head}{first}\n\n    def g(self):\n{long}\n"
    assert bodies(text)["A"] == "\n\n    a: int\n    b = 2" + first
    assert text.endswith("\n")
    assert outline(text).pairs[0].end == len(text) - 1
    # Before the first method if that is too long, and no pair if nothing is there.
    assert bodies(f"class A:\n{head}\n\n    def g(self):\n{long}\n")["A"] == (
        "\n\n    a: int\n    b = 2"
    )
    assert bodies(f"class A:\n    def g(self):\n{long}\n").keys() == {"A.g"}


@given(text=SOURCES)
def test_pairs_hold_what_python_says(text: str):
    found = outline(text)
    if found is None:
        return
    for pair in found.pairs:
        line = text.rfind("\n", 0, pair.start) + 1
        nested = "if 1:\n" if pair.start > line else ""
        tree = ast.parse(nested + text[line : pair.end])
        (definition,) = tree.body[0].body if nested else tree.body
        assert definition.name == pair.name.split(".")[-1]
        assert (ast.get_docstring(definition) or "") == pair.docstring
        body = text[slice(*pair.body)]
        assert body.strip()
        assert text[pair.start : pair.body[0]].rstrip(" ")[-1] in ":'\""


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_other_line_ends_move_nothing(newline: str):
    text = newline.join(["import é", "def f():", "    'Docs.'", "    return 'ü', 1", ""])
    assert bodies(text) == {"f": f"{newline}    return 'ü', 1"}


def test_a_byte_order_mark_moves_nothing():
    assert bodies("\ufeffdef f(): return 'é', 1\n") == {"f": " return 'é', 1"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = 1\ndef f(:\n", "syntax error in line 2"), ("\n", "no text"),
        ("x = '\ud800'", "a character that no source holds"),
        ("x = " + "-" * 200_000 + "1", "nested too deep"),
        ("x = 1" + "+1" * 100_000, "nested too deep"),
    ],
)  # fmt: skip
def test_why_there_is_no_outline(text: str, reason: str):
    with pytest.raises(Unparsed, match=reason):
        parse(text, "python")


def test_other_text_has_lines_and_nothing_else():
    found = outline("# Title\n\n- def f(): 1\n", "")
    assert found.lines == ((0, 0, 7), (9, 9, 21))
    assert found.weights == (1, 2)
    assert found.nodes == found.blocks == found.functions == found.pairs == ()


def test_python_needs_no_tree_sitter():
    code = (
        "import sys; sys.modules['tree_sitter'] = None\n"
        "from training.outlines.outline import outline, parse\n"
        "assert outline('def f(): return 1').pairs\n"
        "assert outline('func f() {}', 'go') is None\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
