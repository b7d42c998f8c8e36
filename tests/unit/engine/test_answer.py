"""What of a generated text is shown, and when."""

import pytest

from lsp_server.engine.answer import AnswerText


def collect(answer: AnswerText, pieces: list[bytes]) -> str:
    text = ""
    for piece in pieces:
        text += answer.push(piece)
        if answer.stopped:
            return text
    return text + answer.finish()


def test_a_character_split_over_tokens_is_shown_whole() -> None:
    answer = AnswerText()
    encoded = "é".encode()
    assert answer.push(encoded[:1]) == ""
    assert answer.push(encoded[1:]) == "é"


def test_a_broken_character_at_the_end_is_replaced() -> None:
    assert collect(AnswerText(), ["a€".encode()[:-1]]) == "a\ufffd"


@pytest.mark.parametrize(
    ("pieces", "stops", "shown"),
    [
        ([b"a = 1", b"\n", b"b"], ["\n"], "a = 1"),
        ([b"ab", b"cd", b"ef"], ["de"], "abc"),
        ([b"x<|", b"en", b"d|>y"], ["<|end|>"], "x"),
        ([b"x<|", b"en", b"z"], ["<|end|>"], "x<|enz"),
        ([b"one two three"], ["three", "two"], "one "),
        ([b"abc"], [""], "abc"),
    ],
)
def test_a_stop_ends_the_answer_even_across_tokens(
    pieces: list[bytes], stops: list[str], shown: str
) -> None:
    assert collect(AnswerText(stops=stops), pieces) == shown


def test_the_beginning_of_a_stop_is_held_back_until_it_is_decided() -> None:
    answer = AnswerText(stops=["\n\n"])
    assert answer.push(b"a\n") == "a"
    assert answer.push(b"b") == "\nb"


def test_a_line_is_whole_at_the_newline_behind_its_text() -> None:
    answer = AnswerText(required=b"  ")
    seen = []
    for piece in (b"  \n", b"    ", b"x", b" = 1\n   "):
        answer.push(piece)
        seen.append((answer.has_newline, answer.has_line))
    assert seen == [(True, False), (True, False), (True, False), (True, True)]


def test_text_required_by_healing_is_not_repeated() -> None:
    answer = AnswerText(required=b" retu")
    assert answer.push(b" ret") == ""
    assert answer.push(b"urn x") == "rn x"


@pytest.mark.parametrize(
    ("text", "indent", "shown"),
    [
        ("a\n    b\nc\n", 4, "a\n    b"),
        ("a\n\n    b\n", 4, "a\n\n    b\n"),
        ("a\n  b", 4, "a"),
        ("a\nb", 0, "a\nb"),
    ],
)
def test_an_answer_ends_before_a_line_that_is_indented_too_little(
    text: str, indent: int, shown: str
) -> None:
    one_by_one = [character.encode() for character in text]
    assert collect(AnswerText(indent=indent), one_by_one) == shown
    assert collect(AnswerText(indent=indent), [text.encode()]) == shown
