"""An endless stream of fill-in-the-middle samples over a corpus, in the mixture of a recipe."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import msgspec

from lsp_server.prompt.assemble import Snippet, Source
from lsp_server.prompt.formats import FimFormat, Order
from lsp_server.prompt.window import Budget

from ..configuration import Count, NotNegative, Share
from ..corpus.shards import Record, read_shard
from ..layouts import relaid
from ..outlines.outline import Outline, outline
from .samples import Sample, Tokenizer, fim_sample
from .spans import choose, function_alone

CHARACTERS_PER_SAMPLE = 2_400
"""One sample is taken for so much text, so that one pass over the corpus reads it about once."""
MOST_PER_FILE = 12
SNIPPET_LINES = 40


class Mixture(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shares of what a stream yields.

    ``spm``, ``psm``, ``bare`` (suffix-first without a middle token) and ``plain`` (a file to
    continue, without control tokens) are relative weights. The others are probabilities: a
    function as a file of its own, no text behind the cursor, a path before the text, text of
    another file before that, the unfinished word moved behind the prompt. Budgets are in tokens.
    ``visits`` says how often a pass reads sources by the beginning of their name (else once).
    """

    spm: NotNegative = 0.84
    psm: NotNegative = 0.11
    bare: NotNegative = 0.0
    plain: NotNegative = 0.05
    alone: Share = 0.25
    no_suffix: Share = 0.06
    path: Share = 0.4
    snippet: Share = 0.2
    heal: Share = 0.85
    shortest: Count = 64
    longest: Count = 1536
    visits: dict[str, int] = {}

    def __post_init__(self) -> None:
        if not self.spm + self.psm + self.bare + self.plain:
            raise ValueError("spm, psm, bare and plain must not all be 0")


@dataclass(frozen=True, slots=True)
class Corpus:
    """Files in order, and which belong to one source."""

    files: Sequence[Record]
    siblings: dict[str, list[int]] = field(default_factory=dict)

    @classmethod
    def read(cls, shards: Sequence[Path]) -> "Corpus":
        """Raises SettingsError, which names the file that is no shard."""
        with ThreadPoolExecutor() as pool:
            files = [file for shard in pool.map(read_shard, shards) for file in shard]
        siblings: dict[str, list[int]] = defaultdict(list)
        for number, file in enumerate(files):
            siblings[file.source].append(number)
        return cls(files, dict(siblings))


@dataclass(frozen=True, slots=True)
class SampleStream:
    """Samples from one worker's share of a corpus, pass after pass."""

    corpus: Corpus
    tokenizer: Tokenizer
    fim: FimFormat
    mixture: Mixture
    end: int

    def samples(self, seed: int, worker: int = 0, workers: int = 1) -> Iterator[Sample]:
        """The stream of one worker; the same arguments give the same samples.

        It ends only if a whole pass gave none.
        """
        random = Random(f"{seed}/{worker}/{workers}")
        order = [
            number
            for number in range(worker, len(self.corpus.files), workers)
            for _ in range(self._visits(self.corpus.files[number].source))
        ]
        fruitful = True
        while fruitful:
            fruitful = False
            random.shuffle(order)
            for number in order:
                for sample in self._of_file(number, random):
                    fruitful = True
                    yield sample

    def _visits(self, source: str) -> int:
        visits = self.mixture.visits.items()
        return next((times for start, times in visits if source.startswith(start)), 1)

    def _of_file(self, number: int, random: Random) -> Iterator[Sample]:
        file = self.corpus.files[number]
        whole = outline(file.text)
        if whole is None:
            return
        for _ in range(min(MOST_PER_FILE, math.ceil(len(file.text) / CHARACTERS_PER_SAMPLE))):
            sample = self._draw(number, whole, random)
            if sample is not None:
                yield sample

    def _draw(self, number: int, whole: Outline, random: Random) -> Sample | None:
        mixture = self.mixture
        source = self._source(number, random)
        if random.random() < mixture.alone:
            text = function_alone(whole, random)
            alone = outline(text) if text else None
            if alone is None:
                return None
            whole, source = alone, Source("", "")
        cut = choose(whole, random)
        source = replace(source, before=whole.text[: cut.start], after=whole.text[cut.end :])
        if random.random() < mixture.no_suffix:
            source = replace(source, after="")
        (layout,) = random.choices(
            ("spm", "psm", "bare", "plain"),
            (mixture.spm, mixture.psm, mixture.bare, mixture.plain),
        )
        fim = relaid(self.fim, layout)
        middle = whole.text[cut.start : cut.end]
        if fim.order is Order.PREFIX_ONLY:
            middle = whole.text[cut.start :]
        return self._within(source, middle, fim, random)

    def _within(self, source: Source, middle: str, fim: FimFormat, random: Random) -> Sample | None:
        """A sample with a budget drawn evenly over its logarithm; None if it came out too long."""
        mixture = self.mixture
        low, high = math.log(mixture.shortest), math.log(mixture.longest)
        size = round(math.exp(random.uniform(low, high)))
        prefix = round(size * random.uniform(0.5, 0.85))
        sample = fim_sample(
            source, middle, fim, Budget(prefix, size - prefix, 0), self.tokenizer,
            end=self.end, heal=random.random() < mixture.heal,
        )  # fmt: skip
        longest = mixture.longest + (mixture.longest // 4)
        if fim.order is Order.PREFIX_ONLY:
            tokens = sample.tokens[:longest]
            return Sample(tokens, len(tokens))  # all of it is text to continue
        return sample if len(sample.tokens) <= longest else None

    def _source(self, number: int, random: Random) -> Source:
        """Where a file lives, as far as the model is told."""
        file = self.corpus.files[number]
        if random.random() >= self.mixture.path:
            return Source("", "")
        snippets: tuple[Snippet, ...] = ()
        if random.random() < self.mixture.snippet:
            other = self.corpus.files[random.choice(self.corpus.siblings[file.source])]
            if other.path != file.path and Path(other.path).stem in file.text:
                snippets = (Snippet(other.path, _excerpt(other.text, random)),)
        repository = file.repository if random.random() < 0.5 else ""
        return Source("", "", file.path, repository, snippets)


def _excerpt(text: str, random: Random) -> str:
    lines = text.split("\n")
    start = random.randrange(max(1, len(lines) - SNIPPET_LINES + 1))
    return "\n".join(lines[start : start + SNIPPET_LINES])
