"""A repository as samples without end: sample ``i`` is a function of the seed and ``i`` alone.

So a run that was killed goes on where it stopped, and any number of processes may share the work.
Which file, which middle, how large a window: all is drawn. The prompt is laid out by the code that
serves, with the cross-file context that a keystroke there would get.
"""

import math
from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from random import Random
from typing import Annotated

import msgspec

from lsp_server.prompt.assemble import Source
from lsp_server.prompt.snippets import SnippetSource

from ..configuration import Share
from ..curation.curate import CuratedFile
from ..outlines.parts import Span
from .examples import TrainingExample
from .samples import Sample
from .spans import REPOSITORY_KINDS, Middle, choose
from .terms import Terms

CHARACTERS_PER_SAMPLE = 2_400
"""A pass takes one sample for so much text, so that one pass reads about as much as there is."""
TRIES = 8
"""Draws of a middle before a file is given up for this sample."""


class SampleMix(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shares of what is drawn.

    ``kinds`` are relative weights of the kinds of middles (see ``spans.REPOSITORY_KINDS``);
    ``context`` how many samples have cross-file context, ``replay`` how many are general code.
    ``smallest`` is the least part of the serving budget that a window is cut to; windows' sizes are
    spread evenly over their logarithm. ``half_life`` is in days: so much older, a file counts half
    as often, at least a quarter. Where a run starts from the adapter that serves, files that are
    new to it are drawn ``fresh`` times as often as those that it knows by heart.
    """

    kinds: dict[str, float] = msgspec.field(default_factory=lambda: dict(REPOSITORY_KINDS))
    context: Share = 0.5
    replay: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.2
    smallest: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.4
    half_life: Annotated[float, msgspec.Meta(gt=0)] = 90.0
    fresh: Annotated[float, msgspec.Meta(ge=1)] = 4.0


@dataclass(frozen=True, slots=True)
class TrainingFile:
    """One file to cut middles from; ``weight`` says how often beside others of its size.

    ``closed`` are spans that no middle may touch.
    """

    curated: CuratedFile
    weight: float = 1.0
    closed: tuple[Span, ...] = ()

    @property
    def characters(self) -> int:
        return len(self.curated.file.text)

    def is_open(self, middle: Middle) -> bool:
        """Whether a middle may be learnt; an empty one must not stand inside a closed span."""
        return not any(middle.start < end and start < max(middle.end, middle.start + 1)
                       for start, end in self.closed)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Codebase:
    """Files that belong together, and what finds definitions among them."""

    name: str
    files: Sequence[TrainingFile]
    index: SnippetSource | None = None
    heights: Sequence[float] = field(init=False)

    def __post_init__(self) -> None:
        sizes = (file.characters * file.weight for file in self.files)
        object.__setattr__(self, "heights", tuple(accumulate(sizes)))

    @property
    def characters(self) -> int:
        return sum(file.characters for file in self.files)

    def draw(self, random: Random) -> TrainingFile:
        """A file, by its size and weight."""
        return self.files[bisect(self.heights, random.random() * self.heights[-1])]


@dataclass(frozen=True, slots=True)
class Dataset:
    """The samples of one repository, with ``general`` code in between."""

    repository: Codebase
    general: Codebase | None
    mix: SampleMix
    terms: Terms
    seed: int = 1

    @property
    def pass_size(self) -> int:
        """Samples of one pass over the repository, with the general code in between."""
        own = self.repository.characters / CHARACTERS_PER_SAMPLE
        replayed = self.mix.replay if self.general is not None else 0.0
        return max(1, math.ceil(own / (1 - replayed)))

    def samples(self, start: int = 0, step: int = 1) -> Iterator[Sample]:
        """Sample ``start``, ``start + step``, …, without end."""
        number = start
        while True:
            yield self.sample(number)
            number += step

    def sample(self, number: int) -> Sample:
        """One sample in tokens."""
        example = self.example(number)
        return self._terms(number).sample(example.source, example.middle)

    def example(self, number: int) -> TrainingExample:
        """One sample as text."""
        random = Random(f"{self.seed}/{number}")
        code = self.repository
        if self.general is not None and random.random() < self.mix.replay:
            code = self.general
        file, middle = self._middle(code, random)
        text, path = file.curated.file.text, file.curated.file.path
        source = Source(text[: middle.start], text[middle.end :], path, code.name)
        if code.index is not None and random.random() < self.mix.context:
            source = self._terms(number).with_snippets(source, code.index)
        return TrainingExample(
            id=f"{self.seed}/{number}",
            kind=middle.kind,
            path=path,
            repository=code.name,
            language=file.curated.file.language,
            before=source.before,
            after=source.after,
            middle=text[middle.start : middle.end],
            snippets=tuple(source.snippets),
        )

    def _terms(self, number: int) -> Terms:
        """A sample's: of the budget that serves it has a part, evenly over the logarithm."""
        random = Random(f"{self.seed}/{number}/budget")
        size = math.exp(random.uniform(math.log(self.mix.smallest), 0.0))
        budget = self.terms.budget
        prefix, suffix = max(1, round(budget.prefix * size)), round(budget.suffix * size)
        return replace(self.terms, budget=replace(budget, prefix=prefix, suffix=suffix))

    def _middle(self, code: Codebase, random: Random) -> tuple[TrainingFile, Middle]:
        """A file and what is cut out of it; where all tries hit closed spans, nothing is cut."""
        for _ in range(TRIES):
            file = code.draw(random)
            middle = choose(file.curated.outline, random, self.mix.kinds)
            if file.is_open(middle):
                return file, middle
        return file, Middle("empty", 0, 0)


def recency(changed: Mapping[str, float], now: float, half_life: float) -> dict[str, float]:
    """Weights by path for times of last change in seconds; from 1 down to a quarter."""
    days = {path: max(0.0, now - at) / 86_400 for path, at in changed.items()}
    return {path: max(0.25, 0.5 ** (age / half_life)) for path, age in days.items()}
