"""Bodies that teach nothing, in the languages that are learnt."""

import textwrap

import pytest

from training.curation.trivial import documented, refused_pair
from training.outlines.outline import outline
from training.outlines.parts import Outline, Pair


def python_pair(body: str, docstring: str = "") -> tuple[Pair, Outline]:
    documentation = f'"""{docstring}"""\n' if docstring else ""
    text = "def f(self, x, y):\n" + textwrap.indent(documentation + body, "    ") + "\n"
    found = outline(text)
    assert found is not None
    (pair,) = found.pairs
    return pair, found


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise ValueError(\n    f'{x} is not {y}'\n)", "stub"),
        ("# not yet\nraise TypeError(x)", "stub"),
        ("return None", "stub"),
        ("return self._x", "accessor"),
        ("self._x = x\nreturn self", "accessor"),
        ("self._x = x", "accessor"),
        ("return x.find(y) + 1", "short body"),
        ("# one\n# two\nreturn x + y", "short body"),
        ("\n".join(f"x += {number}" for number in range(61)), "long body"),
        ("if not x:\n    raise ValueError(y)\nreturn x", None),
        ("raise_alarm = x\nreturn raise_alarm", None),
        ("raise ValueError(x)\nreturn y", None),
        ("total = x + y\nreturn total", None),
        ("\n".join(f"x += {number}" for number in range(60)), None),
    ],
)
def test_python(body: str, reason: str | None):
    assert refused_pair(*python_pair(body), "python") == reason


BRACES = {
    "javascript": "function f(x, y) {\nBODY\n}\n",
    "go": "package p\n\nfunc f(x int, y int) int {\nBODY\n}\n",
    "rust": "fn f(&self, x: i32) -> i32 {\nBODY\n}\n",
    "java": "class A {\n    int f(int x, int y) {\nBODY\n    }\n}\n",
    "cpp": "int A::f(int x, int y) {\nBODY\n}\n",
}


@pytest.mark.parametrize(
    ("language", "body", "reason"),
    [
        ("javascript", "  throw new Error('not yet');", "stub"),
        ("go", '\tpanic("not yet")', "stub"),
        ("rust", '    panic!("{}", x)', "stub"),
        ("rust", "    &self.width", "accessor"),
        ("java", "        return this.width;", "accessor"),
        ("java", "        this.width = x;", "accessor"),
        ("cpp", "    return this->width;", "accessor"),
        ("cpp", "    // 1\n    /* 2\n    3 */\n    return x + y;", "short body"),
        ("go", "\tz := x + y\n\treturn z", None),
        ("javascript", "  const z = x + y;\n  return z;", None),
    ],
)
def test_braces(language: str, body: str, reason: str | None):
    pytest.importorskip("tree_sitter", reason="needs the train extra: run `tenon setup train`")
    text = BRACES[language].replace("BODY", body)
    found = outline(text, language)
    assert found is not None
    (pair, *_) = [pair for pair in found.pairs if pair.kind != "class"]
    assert refused_pair(pair, found, language) == reason


def test_a_short_docstring_documents_nothing():
    body = "total = x + y\nreturn total"
    assert not documented(python_pair(body)[0])
    assert not documented(python_pair(body, "Adds the two numbers.")[0])
    assert documented(python_pair(body, "Adds the two numbers up.")[0])
