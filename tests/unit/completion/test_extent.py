import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.completion.extent import Extent, choose, end_of
from lsp_server.completion.reasons import Reason
from lsp_server.completion.trigger import refusal


@pytest.mark.parametrize(
    ("document", "automatic", "expected"),
    [
        ("foo(‸)", True, Extent.REST),
        ("foo(‸)", False, Extent.REST),
        ("x = ‸\n", True, Extent.LINE),
        ("x = ‸\n", False, Extent.BLOCK),
        ("def f():‸\n", True, Extent.BLOCK),
        ("if (a) {  // why‸\n", True, Extent.BLOCK),
        ("def f():\n    ‸\n", True, Extent.BLOCK),
        ("def f():\n    a = 1\n    ‸\n", True, Extent.LINE),
    ],
)
def test_extent_follows_the_text_around_the_cursor(document, automatic, expected):
    before, after = document.split("‸")
    assert choose(before, after, automatic=automatic) is expected


def test_the_user_may_ask_for_lines_or_blocks_only():
    assert choose("def f():", "\n", automatic=True, multiline="never") is Extent.LINE
    assert choose("x = ", "\n", automatic=True, multiline="always") is Extent.BLOCK


def test_a_block_has_at_most_max_lines():
    text = "\n    a()\n    b()\n    c()\n"
    end = end_of(Extent.BLOCK, "def f():", text, 2)
    assert end is not None
    assert text[:end] == "\n    a()\n    b()"


def test_below_a_whole_line_a_block_is_what_stands_beside_it():
    text = "\n    b = 2\n\n    c = 3\nd = 4"
    end = end_of(Extent.BLOCK, "def f():\n    a = 1", text, 20)
    assert text[:end] == "\n    b = 2\n\n    c = 3"
    dedented = "\n\n    return b\n\ndef g():"
    start = "def f():\n    if a:\n        return a"
    assert dedented[: end_of(Extent.BLOCK, start, dedented, 20)] == "\n\n    return b"
    assert end_of(Extent.BLOCK, "def f():", "\n\n\ndef g():\n", 20) == 0
    closed = "\n}\nfunction g() {"
    assert closed[: end_of(Extent.BLOCK, "function f() {", closed, 20)] == "\n}"


def test_two_blank_lines_end_a_block():
    text = "a = 1\n\n\nb = 2"
    assert end_of(Extent.BLOCK, "", text, 20) == len("a = 1")


def test_a_block_waits_for_a_line_that_may_still_close_it():
    assert end_of(Extent.BLOCK, "def f", "\n  a\ne", 20) is None
    assert end_of(Extent.BLOCK, "def f", "\n  a\nend\n", 20) == len("\n  a\nend")
    assert end_of(Extent.BLOCK, "def f", "\n  a\nex", 20) == len("\n  a")


lines = st.lists(
    st.sampled_from(["", "a", "    b()", "  }", "}", "\tc", "end", "        d", "   "]), max_size=8
)


@given(extent=st.sampled_from(Extent), before=lines, answer=lines, max_lines=st.integers(1, 5))
def test_what_has_arrived_decides_where_an_answer_ends(extent, before, answer, max_lines):
    """So a stream may be closed at the first end that is seen, whatever was still to come."""
    start, text = "\n".join(before), "\n".join(answer)
    whole = end_of(extent, start, text, max_lines)
    for size in range(len(text)):
        early = end_of(extent, start, text[:size], max_lines)
        if early is not None:
            assert early == whole
            break


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("ret‸urn x", Reason.MID_WORD),
        ("x = ‸_y", Reason.MID_WORD),
        ("naï‸ve", Reason.MID_WORD),
        ("x = 1;‸\n", Reason.STATEMENT_ENDED),
        ("  \n‸\n", Reason.BLANK_DOCUMENT),
        ("foo(‸)", None),
        ("ret‸\n", None),
        ("for (i = 0;‸ )", None),
    ],
)
def test_automatic_requests_are_refused_where_they_would_disturb(document, reason):
    before, after = document.split("‸")
    assert refusal(before, after, automatic=True) is reason


def test_a_user_who_asks_by_hand_is_answered_inside_a_word():
    assert refusal("ret", "urn x", automatic=False) is None
    assert refusal("", "", automatic=False) is Reason.BLANK_DOCUMENT


def test_who_took_several_lines_is_offered_several_again():
    taken = "\n    first()\n    second()"
    assert choose(f"def f():{taken}", "\n", automatic=True, accepted=taken) is Extent.BLOCK
    for accepted in ("", "second()", "\n    second()"):
        asked = choose(f"def f():{taken}", "\n", automatic=True, accepted=accepted)
        assert asked is Extent.LINE
