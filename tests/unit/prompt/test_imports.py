import pytest

from lsp_server.prompt.identifiers import parts, terms
from lsp_server.prompt.imports import Import, imports_of, stem_of


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        (
            "pkg/sub/a.py",
            ("from .window import (Budget,  # most\n    window as w)\nfrom .. import log\n"
            "import x.y as z, q\nfrom m import *\nfrom broken import (a,"),
            [
                Import("Budget", "Budget", "pkg/sub/window", rooted=True),
                Import("w", "window", "pkg/sub/window", rooted=True),
                Import("log", "log", "pkg", rooted=True),
                Import("*", "*", "m"),
                Import("a", "a", "broken"),
                Import("z", "", "x/y"),
                Import("q", "", "q"),
            ],
        ),
        (
            "src/m/a.ts",
            ("import {a as b, type C} from './x.js'\nimport * as ns from '../z/index'\n"
            "import r from 'react'\nconst {q, w: e} = require('./k')\nimport type {T} from '@/t'"),
            [
                Import("b", "a", "src/m/x", rooted=True),
                Import("C", "C", "src/m/x", rooted=True),
                Import("ns", "", "src/z", rooted=True),
                Import("T", "T", "t"),
                Import("q", "q", "src/m/k", rooted=True),
                Import("e", "w", "src/m/k", rooted=True),
            ],
        ),
        (
            "src/x/y.rs",
            "use crate::a::b::{C, D as E};\nuse super::q::R;\n",
            [
                Import("C", "C", "a/b"),
                Import("E", "D", "a/b"),
                Import("R", "R", "src/x/q", rooted=True),
            ],
        ),
        (
            "cmd/a.go",
            'import (\n\t"fmt"\n\tf "github.com/a/b/pkg/foo"\n)\n',
            [Import("f", "", "pkg/foo"), Import("f", "", "foo")],
        ),
        ("A.java", "import com.x.Y;\nimport static com.x.Z.f;\n",
         [Import("Y", "Y", "com/x/Y"), Import("f", "f", "com/x/Z")]),
        ("src/a.c", '#include "b/c.h"\n#include <stdio.h>\n',
         [Import("*", "*", "src/b/c", rooted=True), Import("*", "*", "b/c")]),
        ("a.md", "import x\n", []),
    ],
)  # fmt: skip
def test_imports_are_read_in_each_language(path, text, expected):
    assert list(imports_of(text, path)) == expected


@pytest.mark.parametrize(
    ("module", "rooted", "path", "distance"),
    [
        ("pkg/a", True, "pkg/a.py", 0),
        ("pkg", True, "pkg/__init__.py", 0),
        ("pkg", True, "pkg/a.py", 1),
        ("", True, "a.py", 1),
        ("pkg", True, "pkg/b/a.py", 2),
        ("pkg/a", True, "src/pkg/a.py", None),
        ("pkg/a", False, "src/pkg/a.py", 0),
        ("pkg", False, "src/pkg/b/a.py", 2),
        ("numpy", False, "src/pkg/a.py", None),
        ("a", False, "src/ba.py", None),
    ],
)
def test_a_file_is_so_far_from_the_module_that_is_meant(module, rooted, path, distance):
    assert Import("x", "x", module, rooted).distance(path) == distance


def test_a_module_is_a_path_without_ending():
    assert [stem_of(path) for path in ("a/b.d.ts", "a/index.ts", "__init__.py", "a.py")] == [
        "a/b", "a", "", "a",
    ]  # fmt: skip


def test_identifiers_are_terms_whole_and_in_parts():
    assert parts("getUserName") == ("getusername", "user")  # `get` and `name` are everywhere
    assert parts("HTTPServer_v2") == ("httpserver_v2", "http", "server")
    assert parts("value") == ()
    assert parts("x" * 70) == ()
    assert list(terms("def load_model(path): ...")) == ["load_model", "load", "model", "path"]
