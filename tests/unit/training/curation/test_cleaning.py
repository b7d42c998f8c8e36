"""Offsets hold after a notice is cut off and secrets are overwritten."""

import ast

import pytest

from training.curation.cleaning import harmless, overlaps, redacted, without_notice
from training.outlines.outline import Outline, outline

NOTICE = "# Copyright 2024, Zoë 🙂\n# MIT licence\n\n"
CODE = '''"""Books."""

KEY = "s3cr3t-value-é"


class Shelf:
    """Where the books of zoe@shelf.io stand."""

    def sort(self, books):
        """Sort as zoe@shelf.io does."""
        books.sort(key=len)
        return books
'''


def outlined(text: str, language: str = "python") -> Outline:
    found = outline(text, language)
    assert found is not None
    return found


def spans_of(text: str, *parts: str) -> tuple[tuple[int, int], ...]:
    found, at = [], 0
    for part in parts:
        at = text.index(part, at)
        found.append((at, at + len(part)))
        at += len(part)
    return tuple(found)


def test_without_its_notice_a_file_is_as_if_it_never_had_one():
    assert without_notice(outlined(NOTICE + CODE), "python") == outlined(CODE)


def test_without_a_notice_nothing_changes():
    found = outlined(CODE)
    assert without_notice(found, "python") is found


def test_a_file_that_is_only_a_notice_stays():
    found = outlined(NOTICE)
    assert without_notice(found, "python") is found


def test_a_notice_right_above_a_definition_is_not_its_documentation():
    pytest.importorskip("tree_sitter", reason="needs the train extra: run `tenon setup train`")
    code = "int twice(int x) {\n    int y = x;\n    return y * 2;\n}\n"
    notice = "/* Copyright 2024 the shelf authors, MIT */\n"
    (pair,) = without_notice(outlined(notice + code, "c"), "c").pairs
    assert (pair.start, pair.docstring) == (0, "")
    assert code[slice(*pair.body)] == "\n    int y = x;\n    return y * 2;"


def test_secrets_are_overwritten_in_place():
    found = outlined(CODE)
    spans = spans_of(CODE, "s3cr3t-value-é", "zoe@shelf.io", "zoe@shelf.io")
    clean = redacted(found, spans)
    assert len(clean.text) == len(CODE)
    assert 'KEY = "xxxxxxxxxxxxxx"' in clean.text
    assert "zoe" not in clean.text
    assert [pair.docstring for pair in clean.pairs] == [
        "Where the books of xxxxxxxxxxxx stand.", "Sort as xxxxxxxxxxxx does.",
    ]  # fmt: skip
    assert clean == outlined(clean.text)


def test_nothing_to_overwrite_changes_nothing():
    found = outlined(CODE)
    assert redacted(found, ()) is found


@pytest.mark.parametrize(
    "secret", [r"p\"w-1", r"a\\b", "BEGIN\nabc\nEND", r"\x41\u00e9\n", r"\\d", r"ends in \n"]
)
def test_what_is_overwritten_still_parses(secret: str):
    overwritten = harmless(secret)
    assert len(overwritten) == len(secret)
    assert overwritten.count("\n") == secret.count("\n")
    value = ast.literal_eval(f'"""{overwritten}"""')
    assert not set(value) - set('x\n "\\')


def test_overlaps_means_a_common_character():
    spans = ((5, 8), (10, 12))
    touching = [(start, end) for start in range(14) for end in range(start, 14)
                if overlaps(spans, start, end)]  # fmt: skip
    expected = [(start, end) for start in range(14) for end in range(start, 14)
                if any(set(range(start, end)) & set(range(*span)) for span in spans)]  # fmt: skip
    inside = [(6, 6), (7, 7), (11, 11)]  # an empty middle in the midst of a secret
    assert touching == sorted(expected + inside)
    assert not overlaps((), 0, 100)
