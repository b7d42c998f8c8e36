import pytest

from lsp_server.completion.prose import WINDOW, is_prose


@pytest.mark.parametrize(
    ("before", "path"),
    [
        ("x = 1  # the number of rows", "a.py"),
        ("    # Whether somebody has asked fo", "a.py"),
        ("// returns the sum of all", "a.ts"),
        ("/* The first of these is", "a.c"),
        ("/**\n * Returns the sum of", "A.java"),
        ("-- every row that is", "a.sql"),
        ('raise ValueError("the name must be', "a.py"),
        ("print('there is no such", "a.js"),
        ('def f():\n    """Return the sum', "a.py"),
        ('def f():\n    """Return the sum.\n\n    It is n', "a.py"),
        ("def f():\n    '''It isn't \"\"\" the", "a.py"),
        ("It doesn't matter", "README.md"),
        ("## How it works he", "a.md"),
        ("- the first of", "a.rst"),
        ("It is a te", "notes.txt"),
        ("Say why it is", ".git/COMMIT_EDITMSG"),
        ("<!-- this is not", "a.html"),
        ("int x; /* the first of", "a.c"),
        ("; the first of", "a.el"),
        ("# the first of", "Makefile"),
    ],
)
def test_sentences_of_comments_and_texts(before, path):
    assert is_prose(before, path)


@pytest.mark.parametrize(
    ("before", "path"),
    [
        ("# ", "a.py"),
        ("# the sum of all rows:", "a.py"),
        ("# Add them all up.", "a.py"),
        ("# x = compute(1)", "a.py"),
        ("# a comment of many words\n", "a.py"),
        ("total // count of al", "a.py"),
        ('open("some/path', "a.py"),
        ('f"{name} is ', "a.py"),
        ('log.info("user=%s', "a.py"),
        ('url = "https://example.org/a b c', "a.js"),
        ('def f():\n    """Don\'t do that."""\n    ret', "a.py"),
        ('def f():\n    """\n    >>> f(1, ', "a.py"),
        ("/* one two three */ int x", "a.c"),
        ("int *one, *two", "a.c"),
        ("some_function_name", "a.py"),
        ('def f():\n    """', "a.py"),
        ('def f():\n    """Ret', "a.py"),
        ('def f():\n    """Return the sum.\n\n    ', "a.py"),
        ('def f():\n    """Return the sum.\n\n    Args:\n        ', "a.py"),
        ('def f():\n    """Return the sum.', "a.py"),
        ("## Us", "a.md"),
        ("Don't", "a.md"),
        ("It is done.", "a.md"),
        ("x = f(a, b)", "a.md"),
        ("#!/bin/sh\ndocker compose up", "run"),
        ("# one two three", "a.css"),
        ("-- one two three", "a.c"),
    ],
)
def test_code_and_comments_that_code_may_follow(before, path):
    assert not is_prose(before, path)


def test_a_far_text_of_several_lines_is_not_mistaken_for_an_open_one():
    function = 'def f():\n    """Text."""\n    return 1\n\n\n'
    document = function * (2 * WINDOW // len(function))
    for cut in range(40):
        assert not is_prose(document[cut:] + "x = ", "a.py")
