"""From a repository to what a run learns from and is judged by; parses and counts, computes nothing.

Working tree → hold-out by time → outlines → curation → samples, and the held-out code as questions.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from random import Random
from zlib import crc32

from lsp_server.errors import TenonError
from lsp_server.prompt.assemble import Source
from lsp_server.prompt.formats import FimFormat, Special
from lsp_server.prompt.snippets import SnippetSource, snippets_for
from lsp_server.prompt.window import Budget, window
from lsp_server.store.files import RepositoryFile, Skipped, repository_files
from lsp_server.store.index import RepositoryIndex
from lsp_server.store.rules import Rules
from lsp_server.store.secrets import find_secrets

from .curation.curate import Curated, CuratedFile, curate
from .curation.ledger import Ledger, Rejected
from .data import general
from .data.dataset import Codebase, Dataset, SampleMix, TrainingFile, recency
from .data.samples import Sample, Tokenizer, fim_sample
from .evaluation.examples import FimExample
from .gate.scoring import Span
from .holdout.heldout_examples import held_out_examples
from .holdout.history import History
from .holdout.holdout import HoldOut, HoldoutRules, hold_out
from .outlines.extract import extract
from .outlines.extraction_cache import ExtractionCache
from .outlines.outline import Span as TextSpan
from .outlines.outline import outline
from .recipe.recipe import Material

VALIDATION_SHARE = 3
"""One held-out file in so many chooses the checkpoint; the others are the gate's alone."""
VALIDATION_SPANS = 32
GENERAL_SPANS = 100
SPANS_PER_KIND = 150
LARGEST_HOLDOUT = 5_000
"""Lines held out at most: of a large repository a tenth would reach back for years."""


class NothingToLearnError(TenonError):
    """A repository without code that could be learnt."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What prompts are made with: the model's format and tokens, and the budget that serves."""

    fim: FimFormat
    tokenizer: Tokenizer
    budget: Budget
    end: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """``newer`` and ``general`` are the gate's questions, ``validation`` those of early stopping.

    ``data_sha256`` is of all texts that are learnt from. ``commit`` is the working tree's.
    """

    holdout: HoldOut
    curated: Curated
    dataset: Dataset
    validation: tuple[Sample, ...]
    newer: tuple[Span, ...]
    general: tuple[Span, ...]
    data_sha256: str
    commit: str | None

    def material(self) -> Material:
        """As the recipe takes it."""
        return Material(
            samples=self.dataset.samples,
            pass_size=self.dataset.pass_size,
            heldout=self.validation,
            unlearned=frozenset(unlearned(self.dataset)),
            identity=self.data_sha256,
        )


def prepare(
    root: Path,
    terms: Terms,
    mix: SampleMix,
    *,
    ledger: Ledger,
    cache: ExtractionCache | None,
    seed: int = 1,
    told: Callable[[str], None] = lambda _step: None,
) -> Prepared:
    """Read a repository; ``told`` hears what is being done.

    Raises NothingToLearnError, and SettingsError for a faulty ``tenon.toml``.
    """
    told("reading files")
    accepted: list[RepositoryFile] = []
    for entry in repository_files(root, Rules.of(root)):
        if isinstance(entry, Skipped):
            ledger.add(Rejected(path=entry.path, what="file", reason=entry.reason))
        elif entry.language:
            accepted.append(entry)
    told("finding what is new")
    history = History.of(root)
    holdout = hold_out(accepted, history, HoldoutRules(max_lines=LARGEST_HOLDOUT), seed)
    told("parsing and curating")
    curated = curate(extract(holdout.training, cache), ledger)
    if not curated.files:
        raise NothingToLearnError(
            f"{root} holds no code to learn from; `tenon train --dry-run` says why each file was "
            "left out"
        )
    now = max(entry.file.modified for entry in curated.files)
    changed = history.last_changed(holdout.commit) if history and holdout.commit else {}
    repository = Codebase(
        root.name,
        _weighted(
            curated, holdout, recency(changed, max(changed.values(), default=now), mix.half_life)
        ),
        RepositoryIndex.of_files([entry.file for entry in curated.files]),
    )
    dataset = Dataset(
        repository,
        general.replayed(),
        mix,
        terms.fim,
        terms.budget,
        terms.tokenizer,
        terms.end,
        seed,
    )
    told("cutting what is held out")
    newer = _newer(holdout, terms, root.name, seed)
    validation = [span for span in newer if _validates(span)][:VALIDATION_SPANS]
    rest = general.asked(GENERAL_SPANS, seed)
    return Prepared(
        holdout=holdout,
        curated=curated,
        dataset=dataset,
        validation=tuple(_sample(span.example, terms) for span in validation),
        newer=tuple(span for span in newer if not _validates(span)),
        general=tuple(Span(example, kind) for example, kind in rest),
        data_sha256=_checksum(curated.files),
        commit=history.head.id if history else None,
    )


def unlearned(dataset: Dataset) -> Iterator[int]:
    """The control tokens of a format's prompts, which are never to be predicted."""
    entries = [*dataset.fim.layout]
    if dataset.fim.repository:
        layout = dataset.fim.repository
        entries += [*layout.repository, *layout.file, *layout.current]
    for entry in entries:
        if isinstance(entry, Special) and entry.token in dataset.tokenizer.ids:
            yield dataset.tokenizer.ids[entry.token]


def _weighted(
    curated: Curated, holdout: HoldOut, recent: dict[str, float]
) -> tuple[TrainingFile, ...]:
    """Files with how often they are drawn, and what must not be cut out of them."""
    found = []
    originals = {file.path: len(file.text) for file in holdout.training}
    for entry, share in zip(curated.files, curated.shares(), strict=True):
        path = entry.file.path
        # Curation cuts a licence notice off a file's beginning: everything moves by its length.
        shift = originals[path] - len(entry.file.text)
        repeated = (
            (max(0, start - shift), end - shift)
            for start, end in holdout.repeated.get(path, ())
            if end > shift
        )
        weight = share * recent.get(path, 1.0)
        found.append(TrainingFile(entry, weight, (*entry.redacted, *repeated)))
    return tuple(found)


def _newer(holdout: HoldOut, terms: Terms, name: str, seed: int) -> list[Span]:
    """Holes in newer code, with the cross-file context that a keystroke there would get."""
    secrets = {path: find_secrets(file.text, path) for path, file in holdout.files.items()
               if path in holdout.new}  # fmt: skip

    def is_allowed(file: RepositoryFile, span: TextSpan) -> bool:
        return not any(span[0] < end and start < span[1] for start, end in secrets[file.path])

    examples = held_out_examples(
        holdout,
        lambda file: outline(file.text, file.language),
        Random(seed),
        SPANS_PER_KIND,
        repository=name,
        is_allowed=is_allowed,
    )
    if not examples:
        return []
    index = RepositoryIndex.of_files(holdout.files.values())
    return [
        Span(_with_context(example, index, terms), example.id.partition("/")[0])
        for example in examples
    ]


def _with_context(example: FimExample, index: SnippetSource, terms: Terms) -> FimExample:
    source = Source(example.prefix, example.suffix, example.path, example.repository)
    count, budget = terms.tokenizer.count, terms.budget
    shown = window(source.before, source.after, budget, count)
    found = snippets_for(source, index, budget.snippets, count, shown=shown)
    return replace(example, context=found)


def _sample(example: FimExample, terms: Terms) -> Sample:
    source = Source(
        example.prefix, example.suffix, example.path, example.repository, example.context
    )
    return fim_sample(
        source, example.middle, terms.fim, terms.budget, terms.tokenizer, end=terms.end, heal=True
    )


def _validates(span: Span) -> bool:
    """Whether a held-out file's spans choose the checkpoint; by file, for its spans are alike."""
    return crc32(span.file.encode()) % VALIDATION_SHARE == 0


def _checksum(files: Sequence[CuratedFile]) -> str:
    digest = sha256()
    for entry in files:
        digest.update(f"{entry.file.path}\0{entry.file.text}\0".encode())
    return digest.hexdigest()
