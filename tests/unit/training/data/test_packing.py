from collections.abc import Iterator, Sequence
from itertools import count, islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.packing import WAITING, Row, Weights, packed
from training.data.samples import Sample

WEIGHTS = Weights(answer=1.0, prompt=0.25)


@st.composite
def samples(draw, longest: int = 20, most: int = WAITING - 8) -> list[Sample]:
    """Samples whose tokens say which sample they are of; no token is 0 or of another."""
    sizes = draw(st.lists(st.integers(1, longest), max_size=most))
    return [
        Sample(tuple(range(100 * number + 100, 100 * number + 100 + size)),
               draw(st.integers(0, size)))
        for number, size in enumerate(sizes)
    ]  # fmt: skip


def documents(row: Row) -> Iterator[slice]:
    """Where the documents of a row lie, in order."""
    for number in range(1, int(row.documents.max()) + 1):
        (places,) = np.nonzero(row.documents == number)
        assert (np.diff(places) == 1).all()
        yield slice(int(places[0]), int(places[-1]) + 1)


def placed(row: Row) -> list[tuple[int, ...]]:
    return [tuple(row.tokens[place].tolist()) for place in documents(row)]


def pack(given_samples: Sequence[Sample], length: int = 16, *unlearned: int) -> list[Row]:
    return list(packed(given_samples, length, WEIGHTS, frozenset(unlearned)))


@given(entries=samples())
def test_every_sample_that_fits_is_whole_in_one_row(entries: list[Sample]):
    found = [tokens for row in pack(entries) for tokens in placed(row)]
    assert sorted(found) == [entry.tokens for entry in entries if len(entry.tokens) <= 16]


@given(entries=samples(longest=16))
def test_every_array_of_a_row_is_right(entries: list[Sample]):
    known = {entry.tokens: entry.answer for entry in entries}
    for row in pack(entries):
        used = 0
        for place in documents(row):
            tokens = row.tokens[place].tolist()
            size, answer = len(tokens), known[tuple(tokens)]
            assert place.start == used
            used = place.stop
            assert row.positions[place].tolist() == list(range(size))
            assert row.targets[place].tolist() == [*tokens[1:], 0]
            # Token i predicts token i + 1, which belongs to the answer from `answer` on.
            belongs = [index + 1 >= answer for index in range(size - 1)]
            assert row.answers[place].tolist() == [*belongs, False]
            expected = [1.0 if of_answer else 0.25 for of_answer in belongs]
            assert row.weights[place].tolist() == [*expected, 0.0]
        for array in (row.tokens, row.targets, row.positions, row.documents, row.weights,
                      row.answers):  # fmt: skip
            assert array.shape == (16,)
            assert not array[used:].any()


@given(entries=samples(longest=16))
def test_a_row_ends_only_where_nothing_that_waits_fits(entries: list[Sample]):
    rows = pack(entries)
    for number, row in enumerate(rows):
        room = int((row.documents == 0).sum())
        later = [len(tokens) for other in rows[number + 1 :] for tokens in placed(other)]
        assert all(size > room for size in later)


@given(entries=samples(longest=16, most=3 * WAITING))
def test_the_sample_that_has_waited_longest_opens_the_row(entries: list[Sample]):
    left = [entry.tokens for entry in entries]
    for row in pack(entries):
        first, *others = placed(row)
        assert first == left[0]
        for tokens in (first, *others):
            left.remove(tokens)
    assert not left


def test_a_stream_without_end_is_read_as_far_as_needed():
    sizes = count(1)
    endless = (Sample((7,) * (1 + next(sizes) % 9), 1) for _ in count())
    rows = list(islice(packed(endless, 32, WEIGHTS, frozenset()), 20))
    assert all(row.documents.all() for row in rows)
    assert next(sizes) < 20 * 32 + WAITING


def test_control_tokens_of_prompts_never_count_as_targets():
    (row,) = pack([Sample((101, 5, 102, 6, 103), 3)], 8, 5, 6)
    assert row.targets.tolist() == [5, 102, 6, 103, 0, 0, 0, 0]
    assert row.weights.tolist() == [0, 0.25, 0, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("entries", [[], [Sample(tuple(range(17)), 3)]])
def test_no_rows_of_nothing(entries: list[Sample]):
    assert pack(entries) == []
