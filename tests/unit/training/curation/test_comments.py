"""Where comments are, and where a licence notice ends."""

import pytest

from training.curation.comments import comment_share, licence_end, without_comments

PYTHON = """#!/usr/bin/env python
# Copyright 2024 The Shelf Authors.
#
# Licensed under the Apache License, Version 2.0.

# How books are sorted: by size.

import os
"""
GO = """// Copyright 2024 The Shelf Authors.
// SPDX-License-Identifier: MIT

// Package shelf sorts books.
package shelf
"""
C = """/*
 * Copyright (c) 2024
 */
/* Sorts books. */
int main(void) { return 0; }
"""


@pytest.mark.parametrize(
    ("text", "language", "first"),
    [
        (PYTHON, "python", "# How books are sorted"),
        (GO, "go", "// Package shelf"),
        (C, "c", "/* Sorts books. */"),
        ("\n\n# (c) me\n\n\nx = 1\n", "python", "x = 1"),
        ("/* MIT licence */ /* so\nit is */ // here\nint y;\n", "c", "int y;"),
    ],
)
def test_the_notice_ends_where_something_else_is_said(text: str, language: str, first: str):
    assert text[licence_end(text, language) :].startswith(first)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("# Sorts books.\nx = 1\n", "python"),
        ("x = 1\n# Copyright 2024\n", "python"),
        ('"""Copyright 2024"""\n', "python"),
        ("# Copyright\n", "go"),
        ("/* MIT licence */ int x;\nint y;\n", "c"),
        ("/* MIT\nlicence */ int x; /* here */\nint y;\n", "c"),
        ("", "python"),
    ],
)
def test_without_a_notice_at_the_top_all_stays(text: str, language: str):
    assert licence_end(text, language) == 0


def test_the_share_of_comments_counts_lines_with_text():
    assert comment_share("# a\n\n# b\nx = 1  # c\ny = 2\n", "python") == 0.5
    assert comment_share("/* a\n\n b\n*/\nint x;\n// c\n#include <a.h>\n", "c") == 4 / 6
    assert comment_share("", "go") == 0


def test_comments_are_taken_out():
    assert without_comments("a  # b\nc", "python") == "a  \nc"
    assert without_comments("a // b\nc /* d\ne */ f", "java") == "a \nc  f"
    assert without_comments("#include <a.h>", "c") == "#include <a.h>"
