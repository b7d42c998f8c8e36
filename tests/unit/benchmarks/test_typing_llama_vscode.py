"""The peer's client must do what llama.vscode does with an answer before it is shown."""

from random import Random

import pytest

from tests.benchmarks.typing import infill_text, ring
from tests.benchmarks.typing.infill_text import Window
from tests.benchmarks.typing.llama_vscode import LlamaVscode
from tests.benchmarks.typing.suggester import Document

TEXT = "def f():\n    x = 1\n    y = 2\n\n    return x\n"


def place(cursor: int, text: str = TEXT) -> infill_text.Place:
    return infill_text.place_of(Document("a.py", text), cursor)


def test_a_window_is_lines_above_the_rest_and_lines_below_and_this_line_so_far():
    window = infill_text.window_of(place(TEXT.index(" = 2")))
    assert window == Window("def f():\n    x = 1\n", " = 2\n\n    return x\n\n", "    y", 4)


def test_indentation_alone_is_no_prompt():
    window = infill_text.window_of(place(TEXT.index("y = 2")))
    assert (window.prompt, window.suffix.split("\n")[0]) == ("", "y = 2")


def test_an_answer_to_less_of_the_line_serves_if_it_was_typed_along():
    client = LlamaVscode(None, None)
    client._cache["above\n", "\n", "ret"] = "urn value"
    assert client._cached(Window("above\n", "\n", "return", 0)) == " value"
    assert client._cached(Window("above\n", "\n", "retry", 0)) is None
    assert client._cached(Window("other\n", "\n", "return", 0)) is None


@pytest.mark.parametrize(
    ("lines", "discarded"),
    [
        ([""], True),
        (["z = 3"], False),
        (["y = 2"], True),  # the next line once more
        (["", "    y = 2"], True),
        (["y = 2", "", "    return x"], True),
        (["y = 2", "    z = 3"], False),
    ],
)
def test_what_only_repeats_what_stands_there_is_discarded(lines, discarded):
    text = TEXT.replace("    y = 2\n", "    \n    y = 2\n")
    here = place(text.index("    \n") + 4, text)
    assert infill_text.is_discarded(lines, here) is discarded


def test_in_the_middle_of_a_line_one_line_is_left_without_what_follows():
    assert infill_text.shortened(["a)", "b"], ")") == "a"
    assert infill_text.shortened(["a", "b"], ")") == "a"
    assert infill_text.shortened(["a", "b"], "") == "a\nb"


def test_spaces_that_stand_there_already_are_taken_off():
    assert infill_text.without_spaces("        x", 4) == "    x"
    assert infill_text.without_spaces("    x", 0) == "    x"


def test_a_chunk_around_the_cursor_waits_until_nobody_asks():
    chunks = ring.Ring(Random(1))
    lines = [f"line {number}" for number in range(200)]
    chunks.around("a.py", lines, 100)
    chunks.asked = ring.time.monotonic()
    assert not chunks.update()
    chunks.asked -= ring.QUIET_SECONDS
    assert chunks.update()
    (extra,) = chunks.extra()
    assert extra["filename"] == "a.py"
    assert len(extra["text"].splitlines()) == ring.CHUNK_LINES // 2
    assert not chunks.update()


def test_the_same_chunk_is_not_taken_twice():
    chunks = ring.Ring(Random(1))
    lines = [f"line {number}" for number in range(20)]
    chunks.around("a.py", lines, 3)
    chunks.around("a.py", lines, 3)
    chunks.asked = -ring.QUIET_SECONDS
    assert chunks.update()
    assert not chunks.update()
