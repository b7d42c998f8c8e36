import pytest

from lsp_server.completion.languages import PYTHON, TEXT, language_of


@pytest.mark.parametrize(
    ("path", "text", "language"),
    [
        ("a.py", "", PYTHON),
        ("src/A.PYI", "", PYTHON),
        ("bin/tool", "#!/usr/bin/env python3\n", PYTHON),
        ("docs/a.md", "", TEXT),
        ("README", "", TEXT),
        (".git/COMMIT_EDITMSG", "", TEXT),
    ],
)
def test_the_name_tells_the_language(path, text, language):
    assert language_of(path, text) is language


@pytest.mark.parametrize(
    ("path", "comments", "code"),
    [
        ("a.py", ["# a", "#!/bin/sh"], ["// a", "x # a"]),
        ("a.rs", ["// a", "/* a"], ["#[derive(A)]"]),
        ("a.php", ["# a", "// a"], ["#[A]"]),
        ("a.css", ["/* a"], ["// a", "#id"]),
        ("a.lua", ["-- a"], ["# a"]),
        ("a.html", ["<!-- a"], ["# a"]),
        ("Makefile", ["# a"], ["// a"]),
        ("sub/CMakeLists.txt", ["# a"], []),
        (".gitignore", ["# a"], []),
        ("run", [], ["# a"]),
        ("", ["// a"], ["# a"]),
        ("a.unheard", ["// a", "/* a"], ["# a"]),
    ],
)
def test_what_begins_a_comment(path, comments, code):
    language = language_of(path)
    assert [line for line in (*comments, *code) if language.begins_comment(line)] == comments


def test_a_script_without_an_ending_has_a_shells_comments():
    assert language_of("run", "#!/bin/sh\n").begins_comment("# a")
