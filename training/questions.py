"""Held-out code as questions: some choose the checkpoint, the others are the gate's.

They are asked as a keystroke in the newer code would be, with the cross-file context that it would
get from the working tree.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from random import Random
from zlib import crc32

from lsp_server.prompt.assemble import Source
from lsp_server.prompt.snippets import SnippetSource
from lsp_server.store.index import RepositoryIndex
from lsp_server.store.secrets import find_secrets

from .curation.cleaning import overlaps
from .data.samples import Sample
from .data.terms import Terms
from .evaluation.asked_lines import asked_lines
from .evaluation.examples import FimExample
from .evaluation.stretches import Stretch, in_turns, stretches_without_secrets, with_context
from .holdout.heldout_examples import held_out_examples
from .holdout.holdout import HoldOut
from .outlines.outline import outline

VALIDATION_SHARE = 3
"""One held-out file in so many chooses the checkpoint; the others are the gate's alone, and so are
all where there are fewer."""
VALIDATION_SPANS, SPANS_PER_KIND = 32, 40
"""What the checkpoint is chosen by: so many, drawn from so many of each kind."""
STRETCHES = 120
"""The gate's, at most; on a CPU its time is up before."""


@dataclass(frozen=True, slots=True)
class Questions:
    """``validation`` chooses the checkpoint, ``newer`` is the gate's; no file is in both.

    ``choosing`` are the ids of the holes that ``validation`` is made of.
    """

    validation: tuple[Sample, ...]
    newer: tuple[Stretch, ...]
    choosing: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, holdout: HoldOut, terms: Terms, lessons: Terms, name: str, seed: int
    ) -> "Questions":
        """Holes in what is held out of the repository ``name``; none where nothing is.

        The gate's are laid out on ``terms``, those of validation on ``lessons``.
        """
        validating = _validating([path for path in holdout.new if _is_asked(holdout, path)])
        chosen = fair_order(_holes(holdout, validating, name, seed), seed)[:VALIDATION_SPANS]
        newer = _stretches(holdout, holdout.new.keys() - validating, name, seed)
        with RepositoryIndex.of_files(holdout.files.values()) as index:
            return cls(
                tuple(_sample(example, index, lessons) for example in chosen),
                tuple(
                    with_context(
                        stretch, terms.with_snippets(source_of(stretch[0]), index).snippets
                    )
                    for stretch in newer
                ),
                tuple(example.id for example in chosen),
            )


def fair_order(examples: Sequence[FimExample], seed: int) -> list[FimExample]:
    """An order of which every beginning holds about the same share of each file and each kind,
    which an id begins with.

    Within a stratum (file and kind) the order is drawn; the n-th of m gets a place drawn evenly
    between (n - 1) / m and n / m of the whole.
    """

    def stratum(example: FimExample) -> tuple[str, str]:
        return example.file, example.id.partition("/")[0]

    draw = Random(seed)
    strata = Counter(map(stratum, examples))
    seen: Counter[tuple[str, str]] = Counter()
    placed: list[tuple[float, FimExample]] = []
    for example in draw.sample(examples, len(examples)):
        of = stratum(example)
        placed.append(((seen[of] + draw.random()) / strata[of], example))
        seen[of] += 1
    return [example for _, example in sorted(placed, key=lambda entry: entry[0])]


def _holes(holdout: HoldOut, paths: Collection[str], name: str, seed: int) -> list[FimExample]:
    """Holes in the newer code of some files, without other files' context; none holds a secret."""
    new = {path: spans for path, spans in holdout.new.items() if path in paths}
    secrets = {path: find_secrets(holdout.files[path].text, path) for path in new}
    return held_out_examples(
        replace(holdout, new=new),
        lambda file: outline(file.text, file.language),
        Random(seed),
        SPANS_PER_KIND,
        repository=name,
        is_allowed=lambda file, span: not overlaps(secrets[file.path], *span),
    )


def _stretches(holdout: HoldOut, paths: Collection[str], name: str, seed: int) -> list[Stretch]:
    """Of the newer code of some files, without other files' context; no answer holds a secret."""
    random = Random(seed)
    by_file = [
        stretches_without_secrets(holdout.files[path], holdout.new[path], random, name)
        for path in sorted(paths)
    ]
    return in_turns(by_file, STRETCHES, random)


def _sample(example: FimExample, index: SnippetSource, terms: Terms) -> Sample:
    return terms.sample(terms.with_snippets(source_of(example), index), example.middle)


def source_of(example: FimExample) -> Source:
    """An example as the document that a prompt is made for."""
    return Source(example.prefix, example.suffix, example.path, example.repository, example.context)


def _is_asked(holdout: HoldOut, path: str) -> bool:
    """Whether there is a line to ask for in a file's newer code."""
    return any(asked_lines(holdout.files[path].text, holdout.new[path]))


def _validating(files: Collection[str]) -> frozenset[str]:
    """The held-out files whose spans choose the checkpoint: by file, for its spans are alike."""
    drawn = sorted(files, key=lambda path: (crc32(path.encode()), path))
    return frozenset(drawn[: len(files) // VALIDATION_SHARE])
