"""Micro-batches hold every sample once, right-padded, within their bound."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.train_extra import torch
from training.data.samples import Sample
from training.recipe.batching import MicroBatch, micro_batches


@st.composite
def samples(draw: st.DrawFn) -> list[Sample]:
    """Of 1 to 40 tokens that nobody else has, with answers down to empty ones."""
    lengths = draw(st.lists(st.integers(1, 40), min_size=1, max_size=12))
    found, token = [], 1
    for length in lengths:
        answer = draw(st.integers(0, length))
        found.append(Sample(tuple(range(token, token + length)), answer))
        token += length
    return found


def cut(chosen: list[Sample], **changes: object) -> list[MicroBatch]:
    settings = {"most_tokens": 64, "grain": 8, "prompt_weight": 0.5} | changes
    return list(micro_batches(chosen, **settings))


def rows(batches: list[MicroBatch]) -> Iterator[list[int]]:
    """Every sample's row."""
    for batch in batches:
        yield from batch.tokens[: batch.rows].tolist()


@given(samples(), st.integers(1, 100), st.sampled_from([1, 8, 32]), st.integers(1, 3))
def test_every_sample_is_a_row_padded_at_the_right(
    chosen: list[Sample], most_tokens: int, grain: int, least_rows: int
) -> None:
    batches = cut(chosen, most_tokens=most_tokens, grain=grain, least_rows=least_rows)
    expected = sorted(chosen, key=lambda it: len(it.tokens))
    for row, sample in zip(rows(batches), expected, strict=True):
        size = len(sample.tokens)
        assert row[:size] == list(sample.tokens)
        assert not any(row[size:])
    assert sum(batch.size for batch in batches) == sum(len(it.tokens) for it in chosen)
    for batch in batches:
        assert batch.tokens.shape[1] % grain == 0
        assert len(batch.tokens) == max(batch.rows, least_rows)
        assert not batch.tokens[batch.rows :].any()
        assert batch.rows == 1 or batch.rows * batch.tokens.shape[1] <= most_tokens


@given(samples(), st.sampled_from([0.0, 0.3, 1.0]))
def test_each_place_predicts_the_token_behind_it(
    chosen: list[Sample], prompt_weight: float
) -> None:
    found = {}
    for batch in cut(chosen, prompt_weight=prompt_weight):
        tokens = batch.tokens.flatten()
        assert tokens[batch.places + 1].tolist() == batch.targets.tolist()
        shown = zip(
            batch.targets.tolist(), batch.weights.tolist(), batch.answers.tolist(), strict=True
        )
        found |= {target: (weight, answer) for target, weight, answer in shown}
    expected = {}
    for sample in chosen:
        for index, token in enumerate(sample.tokens):
            if index >= max(1, sample.answer):
                expected[token] = (1.0, True)
            elif index > 0 and prompt_weight:
                expected[token] = (pytest.approx(prompt_weight), False)
    assert found == expected


def test_rows_are_as_many_as_fit() -> None:
    batches = cut([Sample((1,) * 16, 8)] * 7, most_tokens=48)
    assert [batch.rows for batch in batches] == [3, 3, 1]


def test_a_longer_sample_stands_alone() -> None:
    batches = cut([Sample((1,) * 100, 50), Sample((1,) * 10, 5)], most_tokens=64)
    assert [tuple(batch.tokens.shape) for batch in batches] == [(1, 16), (1, 104)]


def test_unlearned_tokens_count_in_an_answer_only() -> None:
    (batch,) = cut([Sample((7, 1, 7, 2, 7, 3), 3)], unlearned=frozenset({7}))
    assert batch.targets.tolist() == [1, 2, 7, 3]
    assert batch.weights.tolist() == [0.5, 1, 1, 1]
    assert batch.answers.tolist() == [False, True, True, True]


def test_an_empty_answer_leaves_nothing_to_learn() -> None:
    (batch,) = cut([Sample((1, 2, 3), 3)], prompt_weight=0.0)
    assert batch.places.numel() == batch.weights.numel() == 0
    assert batch.size == 3


def test_a_batch_moves_whole() -> None:
    (batch,) = cut([Sample((1, 2, 3), 1)])
    moved = batch.to(torch.device("meta"))
    assert (moved.size, moved.rows) == (3, 1)
    tensors = (moved.tokens, moved.places, moved.targets, moved.weights, moved.answers)
    assert all(it.is_meta for it in tensors)
