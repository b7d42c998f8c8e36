"""Which text says what an earlier one says."""

import pytest

pytest.importorskip("datasketch", reason="needs the train extra: run `tenon setup train`")

from training.curation.near_duplicates import repeats, sketches

LINES = [f"    value_{number} = call_{number}(other_{number})\n" for number in range(60)]
TEXT = "def f():\n" + "".join(LINES)


def sketch(text: str, language: str = "python"):
    return sketches(text, language, [])[0]


def test_the_first_of_a_kind_stays():
    near = TEXT.replace("value_7 ", "result_7 ")
    other = TEXT.replace("value", "result").replace("call", "ask")
    assert repeats([sketch(text) for text in (TEXT, other, near, other, TEXT)]) == [
        None, None, 0, 1, 0,
    ]  # fmt: skip


def test_what_half_agrees_is_no_copy():
    half = "".join(LINES[:30]) + "".join(LINES[:30]).replace("_", "__")
    assert repeats([sketch(TEXT), sketch(half)]) == [None, None]


def test_comments_and_blanks_do_not_count():
    commented = TEXT.replace("\n", "  # as before\n").replace(" = ", "=")
    assert repeats([sketch(TEXT), sketch(commented)]) == [None, 0]


def test_a_part_is_sketched_as_if_it_were_a_text():
    before, after = "x = 1  # one\n" * 9, "\ny = 2\n"
    whole = before + TEXT + after
    part = (len(before), len(before) + len(TEXT))
    inner = (len(before) + len("def f():"), len(before) + len(TEXT))
    whole_sketch, part_sketch, inner_sketch = sketches(whole, "python", [part, inner])
    assert (part_sketch == sketch(TEXT)).all()
    assert (inner_sketch == sketch("".join(LINES))).all()
    assert (whole_sketch == sketch(whole)).all()


def test_a_few_tokens_are_like_nothing():
    assert sketch("x = 1") is None
    assert sketches(TEXT + "x = 1\n", "python", [(len(TEXT), len(TEXT) + 6)])[1] is None
    assert repeats([None, None]) == [None, None]
    assert repeats([]) == []
