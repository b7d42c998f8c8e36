from pathlib import Path

import lsp_server
from lsp_server.engine.cutting import parts

SOURCES = sorted(Path(lsp_server.__file__).parent.rglob("*.py"))


def test_the_parts_are_the_text():
    for path in SOURCES:
        text = path.read_bytes()
        assert b"".join(parts(text)) == text


def test_a_part_ends_where_a_word_ends_at_a_line_end():
    *cut, _last = parts(Path(__file__).read_bytes() * 3)
    assert len(cut) > 3
    assert all(part[-1:].isalnum() for part in cut)


def test_a_text_that_begins_farther_down_has_the_same_parts_from_there_on():
    text = b"".join(path.read_bytes() for path in SOURCES)[:9000]
    whole = list(parts(text))
    for start in range(0, 4000, 97):
        later = list(parts(text[start:]))
        assert later[1:] == whole[len(whole) - len(later) + 1 :]


def test_lines_may_end_in_both_ways():
    assert list(parts(b"a1\r\nb\r\n\r\n)\r\nc")) == [b"a1", b"\r\nb", b"\r\n\r\n)\r\nc"]
    assert list(parts(b"a1\nb\n\n)\nc")) == [b"a1", b"\nb", b"\n\n)\nc"]


def test_typing_changes_the_last_part_alone():
    text = b"".join(path.read_bytes() for path in SOURCES)[:3000]
    before = list(parts(text))
    after = list(parts(text + b" = 1"))
    assert len(before) > 3
    assert before[:-1] == after[: len(before) - 1]


def test_a_text_without_a_border_is_one_part():
    assert list(parts(b"x" * 10_000)) == [b"x" * 10_000]
    assert list(parts(b"{\n" * 5_000)) == [b"{\n" * 5_000]
    assert list(parts(b"")) == []
