"""Which files are tests, by the conventions of each language's tools; pure."""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from ..corpus import filters

FOLDERS = frozenset(
    {"test", "tests", "testing", "__tests__", "spec", "specs", "e2e", "testdata", "unittests"}
)
_NAME = re.compile(
    r"""(^|/)(
        [^/]*[._-](test|spec|tests|unittest)\.\w+   # a.test.ts, a_test.go, a_unittest.cc, a-test.js
      | tests?[_-][^/]*\.\w+ | tests?\.\w+            # test_a.c, tests.rs
      | [A-Z][^/]*Tests?(Case)?\.(java|cpp|cc|h) | [A-Z]\w*IT\.java | Test[A-Z]\w*\.(java|cpp|cc)
    )$""",
    re.VERBOSE,
)
_CONTENT = {
    "python": re.compile(
        r"^[ \t]*(?:async )?def test_\w*\([^\n]*\n(?:(?!\bdef ).*\n)*?"
        r"[ \t]+(?:assert\b|self\.assert|with pytest\.raises)",
        re.MULTILINE,
    ),
    "go": re.compile(r"^func Test\w*\(\w+ \*testing\.T\)", re.MULTILINE),
    "java": re.compile(r"^[ \t]*@(?:Test|ParameterizedTest)\b", re.MULTILINE),
    "rust": re.compile(r"^[ \t]*#\[(?:\w+::)?test\]", re.MULTILINE),
    "cpp": re.compile(r"^(?:TEST(?:_F|_P|_CASE)?|TYPED_TEST|BOOST_AUTO_TEST_CASE)\(", re.MULTILINE),
    "javascript": re.compile(r"""^[ \t]*(?:it|test)\(\s*['"`]""", re.MULTILINE),
}
_CONTENT |= {"typescript": _CONTENT["javascript"], "c": _CONTENT["cpp"]}
CHARACTERS_PER_TEST = 1_500
"""A file with a test case for so much text consists of them; one with fewer has some beside code,
as Rust's do."""


def is_test(path: str, language: str, text: str) -> bool:
    """Whether a file is a test by its folder, its name, or what most of it is."""
    folders = {folder.lower() for folder in PurePosixPath(path).parts[:-1]}
    if folders & FOLDERS or filters.is_test(path) or _NAME.search(path):
        return True
    case = _CONTENT.get(language)
    if case is None:
        return False
    return sum(1 for _ in case.finditer(text)) * CHARACTERS_PER_TEST > len(text)


def share_of_tests(sizes: Iterable[tuple[int, bool]], most: float = 0.25) -> float:
    """What part of every test file to take, so that tests are at most ``most`` of all characters.

    ``sizes`` are (characters, is a test) of every file. 1 where that is so already, and where there
    is nothing but tests.
    """
    code = tests = 0
    for characters, is_a_test in sizes:
        if is_a_test:
            tests += characters
        else:
            code += characters
    if not code or not tests:
        return 1.0
    return min(1.0, code * most / (1 - most) / tests)
