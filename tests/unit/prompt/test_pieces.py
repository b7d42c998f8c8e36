"""Which tokens may follow a prompt that was healed."""

from hypothesis import given
from hypothesis import strategies as st

from lsp_server.prompt.pieces import PieceIndex

PIECES = (b"", b"a", b"ab", b"abc", b"b", b" return", b" ret", b"u", b"\n", b"\xff", b"\xff\xff",
          b"\n   ", b"\n    ", b" ")  # fmt: skip


def test_a_token_that_covers_the_required_text_is_preferred() -> None:
    index = PieceIndex(PIECES)
    assert sorted(index.allowed(b"ab")) == [2, 3]
    assert index.allowed(b" retu").tolist() == [5]
    assert sorted(index.allowed(b"\xff")) == [9, 10]


def test_without_one_the_longest_beginning_is_taken() -> None:
    assert PieceIndex(PIECES).allowed(b"abd").tolist() == [2]
    assert PieceIndex(PIECES).allowed(b" rex").tolist() == [13]
    assert PieceIndex(PIECES).allowed(b"zzz").tolist() == []


def test_white_space_may_join_the_word_that_follows() -> None:
    assert sorted(PieceIndex(PIECES).allowed(b"\n    ")) == [8, 11, 12]


@given(st.binary(min_size=1, max_size=4))
def test_every_allowed_token_agrees(required: bytes) -> None:
    for token in PieceIndex(PIECES).allowed(required).tolist():
        piece = PIECES[token]
        assert piece.startswith(required) or required.startswith(piece)


def test_an_answer_is_chosen_among_others_for_as_long_as_it_repeats() -> None:
    index = PieceIndex(PIECES)
    found = {place: sorted(among) for place, among in index.choices(b" retu", [5, 1])}
    assert found == {0: [5]}
    blank = {place: sorted(among) for place, among in index.choices(b"\n    ", [11, 13, 5])}
    assert blank == {0: [8, 11, 12], 1: [5, 6, 13]}
    assert dict(index.choices(b"", [5, 1])) == {}


def test_where_healing_would_choose_otherwise_nothing_is_known() -> None:
    assert dict(PieceIndex(PIECES).choices(b"ab", [1, 4])).keys() == {1}
