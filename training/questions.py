"""Held-out code as questions: some choose the checkpoint, the others are the gate's.

They are asked as a keystroke in the newer code would be, with the cross-file context that it would
get from the working tree.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from random import Random
from zlib import crc32

from lsp_server.prompt.assemble import Source
from lsp_server.prompt.snippets import SnippetSource
from lsp_server.store.files import RepositoryFile
from lsp_server.store.index import RepositoryIndex
from lsp_server.store.secrets import find_secrets

from .curation.cleaning import overlaps
from .data.samples import Sample
from .data.terms import Terms
from .evaluation.examples import FimExample
from .gate.scoring import Span, fair_order
from .holdout.heldout_examples import held_out_examples
from .holdout.holdout import HoldOut
from .outlines.outline import Span as TextSpan
from .outlines.outline import outline

VALIDATION_SHARE = 3
"""One held-out file in so many chooses the checkpoint; the others are the gate's alone, and so are
all where there are fewer."""
VALIDATION_SPANS = 32
SPANS_PER_KIND = 150


@dataclass(frozen=True, slots=True)
class Questions:
    """``validation`` chooses the checkpoint, ``newer`` is the gate's; no file is in both.

    ``choosing`` are the ids of the spans that ``validation`` is made of.
    """

    validation: tuple[Sample, ...]
    newer: tuple[Span, ...]
    choosing: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, holdout: HoldOut, terms: Terms, lessons: Terms, name: str, seed: int
    ) -> "Questions":
        """Holes in what is held out of the repository ``name``; none where nothing is.

        The gate's are laid out on ``terms``, those of validation on ``lessons``.
        """
        spans = _spans(holdout, name, seed)
        validating = _validating({span.file for span in spans})
        drawn = fair_order([span for span in spans if span.file in validating], seed)
        chosen = drawn[:VALIDATION_SPANS]
        newer = [span for span in spans if span.file not in validating]
        with RepositoryIndex.of_files(holdout.files.values()) as index:
            return cls(
                tuple(_sample(span.example, index, lessons) for span in chosen),
                tuple(
                    replace(span, example=_with_context(span.example, index, terms))
                    for span in newer
                ),
                tuple(span.example.id for span in chosen),
            )


def _spans(holdout: HoldOut, name: str, seed: int) -> list[Span]:
    """Holes in newer code, without other files' context; none holds a secret."""
    secrets = {path: find_secrets(file.text, path) for path, file in holdout.files.items()
               if path in holdout.new}  # fmt: skip

    def is_allowed(file: RepositoryFile, span: TextSpan) -> bool:
        return not overlaps(secrets[file.path], *span)

    examples = held_out_examples(
        holdout,
        lambda file: outline(file.text, file.language),
        Random(seed),
        SPANS_PER_KIND,
        repository=name,
        is_allowed=is_allowed,
    )
    return [Span(example, example.id.partition("/")[0]) for example in examples]


def _sample(example: FimExample, index: SnippetSource, terms: Terms) -> Sample:
    return terms.sample(terms.with_snippets(source_of(example), index), example.middle)


def _with_context(example: FimExample, index: SnippetSource, terms: Terms) -> FimExample:
    return replace(example, context=tuple(terms.with_snippets(source_of(example), index).snippets))


def source_of(example: FimExample) -> Source:
    """An example as the document that a prompt is made for."""
    return Source(example.prefix, example.suffix, example.path, example.repository, example.context)


def _validating(files: Collection[str]) -> frozenset[str]:
    """The held-out files whose spans choose the checkpoint: by file, for its spans are alike."""
    drawn = sorted(files, key=lambda path: (crc32(path.encode()), path))
    return frozenset(drawn[: len(files) // VALIDATION_SHARE])
