import argparse
from pathlib import Path

import pytest

from lsp_server.commands.complete import Target, parse_target, read_document, repository_of
from lsp_server.commands.serve import address
from lsp_server.errors import DocumentError


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("src/a.py:3:7", "src/a.py"),
        ("C:\\a b\\c.py:3:7", "C:\\a b\\c.py"),
        ("a:b.py:3:7", "a:b.py"),
    ],
)
def test_a_target_is_read_from_the_right(text, path):
    assert parse_target(text) == Target(Path(path), 3, 7)


@pytest.mark.parametrize("text", ["a.py", "a.py:3", "a.py:0:1", "a.py:1:0", "a.py:x:1", "a.py:1:"])
def test_a_target_that_is_none(text):
    with pytest.raises(argparse.ArgumentTypeError, match=r"src/app\.py:42:9"):
        parse_target(text)


def test_columns_count_utf16_units_up_to_the_end_of_the_line(tmp_path):
    file = tmp_path / "a.py"
    file.write_bytes("\ufeffs = '😀'\r\n".encode())
    assert read_document(Target(file, 1, 9)) == "s = '😀'\r\n"
    with pytest.raises(DocumentError, match="ends at column 9"):
        read_document(Target(file, 1, 10))
    with pytest.raises(DocumentError, match="no line 3"):
        read_document(Target(file, 3, 1))


def test_the_repository_is_where_git_is(tmp_path):
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    assert repository_of(tmp_path / "repo" / "src" / "a.py") == tmp_path / "repo"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("8765", ("127.0.0.1", 8765)), ("host:1", ("host", 1)), ("[::1]:80", ("::1", 80))],
)
def test_an_address_may_leave_its_host_out(text, expected):
    assert address(text) == expected


@pytest.mark.parametrize("text", ["", "host", "host:", "1:2:x", "70000"])
def test_an_address_that_is_none(text):
    with pytest.raises(argparse.ArgumentTypeError, match="PORT"):
        address(text)
