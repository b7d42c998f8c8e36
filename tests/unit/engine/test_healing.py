"""Which tokens are taken back, and which may follow instead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.engine.healing import PieceIndex, take_back
from lsp_server.prompt.healing import tokens_to_take_back

PIECES = (b"", b"a", b"ab", b"abc", b"b", b" return", b" ret", b"u", b"\n", b"\xff", b"\xff\xff")


def test_allowed_tokens_continue_the_required_text_or_begin_it() -> None:
    index = PieceIndex(PIECES)
    assert sorted(index.allowed(b"ab")) == [1, 2, 3]
    assert sorted(index.allowed(b" retu")) == [5, 6]
    assert sorted(index.allowed(b"\xff")) == [9, 10]


@given(st.binary(min_size=1, max_size=4))
def test_allowed_tokens_are_exactly_those_that_agree(required: bytes) -> None:
    index = PieceIndex(PIECES)
    expected = {
        token
        for token, piece in enumerate(PIECES)
        if piece and (piece.startswith(required) or required.startswith(piece))
    }
    if expected:
        assert set(index.allowed(required).tolist()) == expected


@pytest.mark.parametrize(
    ("pieces", "count"),
    [
        ([b"x", b" ret", b"u"], 2),
        ([b"foo", b"("], 1),
        ([b"x", b" =", b" "], 1),
        ([b"if", b":", b"\n"], 0),
        ([b"if", b":", b"\n   "], 1),
        ([], 0),
    ],
)
def test_the_unfinished_word_is_taken_back(pieces: list[bytes], count: int) -> None:
    assert tokens_to_take_back(pieces) == count


def test_a_prompt_is_never_emptied() -> None:
    assert take_back([6, 7], 0, PIECES) == ([6, 7], b"")


def test_what_lies_before_the_boundary_is_not_touched() -> None:
    assert take_back([1, 6, 7], 2, PIECES) == ([1, 6], b"u")
