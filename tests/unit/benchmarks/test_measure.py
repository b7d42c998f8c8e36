"""Exact match without generation must follow the engine's own healing."""

import pytest

from tests import train_extra  # noqa: F401 - skips without torch

torch = pytest.importorskip("torch")

from tests.benchmarks.adapt.measure import _healed, _line_right  # noqa: E402

PIECES = [b"       ", b" yield", b"        ", b"yield", b" x", b"\n", b"<end>"]


class Vocabulary:
    pieces = PIECES


def logits(*likeliest: int) -> "torch.Tensor":
    """One row per place, with the largest value at the token that is likeliest there."""
    rows = torch.zeros(len(likeliest), len(PIECES))
    for row, token in enumerate(likeliest):
        rows[row, token] = 1.0
    return rows


def test_indentation_that_was_taken_back_may_come_again_in_parts():
    truth = [0, 1, 4, 6]
    assert _healed(b"        ", truth, logits(0, 1, 4, 6), Vocabulary()) == [0, 1]


def test_the_likeliest_of_the_allowed_tokens_is_chosen_not_the_truths():
    assert _healed(b"        ", [0, 1, 6], logits(2, 1, 6), Vocabulary())[0] == 2


def test_what_does_not_agree_with_the_owed_text_cannot_be_chosen():
    scores = logits(3)
    scores[0, 2] = 0.5
    assert _healed(b"        ", [2, 6], torch.cat([scores, logits(6)]), Vocabulary()) == [2]


@pytest.mark.parametrize(
    ("truth", "said", "right"),
    [
        ([3, 4, 6], [3, 4, 5], True),  # it goes on with another line
        ([3, 4, 6], [3, 4, 3], False),
        ([3, 5, 4, 6], [3, 5, 1, 6], True),  # only the second line is wrong
        ([3, 4, 6], [4, 4, 6], False),
    ],
)
def test_the_first_line(truth: list[int], said: list[int], right: bool):
    assert _line_right(truth, said, Vocabulary()) is right
