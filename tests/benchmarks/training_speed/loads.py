"""What both sides read: samples of random tokens, in lengths that say what they measure."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from training.data.samples import Sample
from training.recipe.batching import micro_batches

ANSWER = 20
"""Tokens of an answer, about as many as a middle has."""


@dataclass(frozen=True, slots=True)
class Load:
    """Steps of so many samples, over and over; ``rows`` samples pass a plain model at once."""

    name: str
    samples: tuple[Sample, ...]
    step_samples: int
    rows: int = 8

    @property
    def cycle(self) -> int:
        """Steps after which the samples repeat."""
        return len(self.samples) // self.step_samples

    def step(self, number: int) -> tuple[Sample, ...]:
        """A step's samples, counted from 0."""
        start = number % self.cycle * self.step_samples
        return self.samples[start : start + self.step_samples]

    def batches(self, number: int) -> Iterator[tuple[Sample, ...]]:
        """A step's samples as a plain data loader would cut them."""
        samples = self.step(number)
        for start in range(0, len(samples), self.rows):
            yield samples[start : start + self.rows]

    def tokens(self, number: int) -> int:
        return sum(len(sample.tokens) for sample in self.step(number))

    def padded_plainly(self, number: int) -> int:
        """A step's tokens when every batch is padded to its longest sample."""
        return sum(
            len(batch) * max(len(sample.tokens) for sample in batch)
            for batch in self.batches(number)
        )

    def padded_by_tenon(self, number: int, *, most_tokens: int, grain: int) -> int:
        cut = micro_batches(
            self.step(number), most_tokens=most_tokens, grain=grain, prompt_weight=0.0
        )
        return sum(batch.tokens.numel() for batch in cut)


def fixed(vocabulary: int, *, rows: int = 8, length: int = 1024) -> Load:
    """Every sample as long as the others."""
    return Load(f"{rows} x {length}", _samples([length] * rows, vocabulary), rows, rows)


def mixed(vocabulary: int, *, shortest: int = 200, longest: int = 1400) -> Load:
    """Lengths of real prompts, two steps of 16 samples."""
    draw = random.Random(4)
    lengths = [draw.randint(shortest, longest) for _ in range(32)]
    return Load(f"{shortest}-{longest}", _samples(lengths, vocabulary), 16)


def _samples(lengths: list[int], vocabulary: int) -> tuple[Sample, ...]:
    draw = random.Random(5)
    return tuple(
        Sample(tuple(draw.choices(range(vocabulary), k=length)), length - ANSWER)
        for length in lengths
    )
