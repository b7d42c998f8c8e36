"""Which tokens are taken back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.engine.healing import take_back
from lsp_server.prompt.healing import MAX_TOKENS, tokens_to_take_back

PIECES = (b"", b"a", b"ab", b"abc", b"b", b" return", b" ret", b"u", b"\n", b"\xff", b"\xff\xff",
          b"\n   ", b"\n    ", b" ")  # fmt: skip


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


@pytest.mark.parametrize(
    ("text", "kept"), [("# 😀😀😀😀😀", "# 😀😀😀"), ("x = 'ﷺﷺﷺﷺ", "x = 'ﷺﷺ"), ("größ", "")]
)
def test_what_is_taken_back_begins_with_a_whole_character(text: str, kept: str) -> None:
    pieces = [bytes([byte]) for byte in text.encode()]
    count = tokens_to_take_back(pieces)
    assert b"".join(pieces[: len(pieces) - count]).decode() == kept


def test_a_character_of_more_tokens_than_can_be_taken_back_stays() -> None:
    ends = [b"\xf0", *[b"\x80"] * MAX_TOKENS]  # no such character: the least that can be said
    assert tokens_to_take_back(ends) == 0


@given(st.text(st.sampled_from("a_1 .(\n\tößé日🙂ﷺ"), max_size=12), st.data())
def test_no_character_is_cut_wherever_tokens_end(text: str, data: st.DataObject) -> None:
    encoded = text.encode()
    ends = sorted(data.draw(st.sets(st.integers(1, max(1, len(encoded))))) | {len(encoded)})
    pieces = [encoded[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    pieces = [piece for piece in pieces if piece]
    count = tokens_to_take_back(pieces)
    b"".join(pieces[len(pieces) - count :]).decode()


def test_a_document_of_one_word_is_taken_back_whole() -> None:
    assert take_back([6, 7], 0, PIECES) == ([], b" retu")


def test_a_prompt_that_ends_in_a_control_token_is_not_touched() -> None:
    assert take_back([1, 6, 7], 3, PIECES) == ([1, 6, 7], b"")


def test_what_lies_before_the_boundary_is_not_touched() -> None:
    assert take_back([1, 6, 7], 2, PIECES) == ([1, 6], b"u")
