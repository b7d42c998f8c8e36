"""From a repository to what a run learns from and is judged by; parses and counts alone.

Working tree → hold-out by time → outlines → curation → samples, and the held-out code as questions.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from lsp_server.errors import TenonError
from lsp_server.prompt.window import Budget
from lsp_server.store.files import RepositoryFile, Skipped, repository_files
from lsp_server.store.index import RepositoryIndex
from lsp_server.store.rules import Rules

from .curation.curate import Curated, CuratedFile, curate
from .curation.ledger import Ledger, Rejected
from .data import general
from .data.dataset import Codebase, Dataset, SampleMix, TrainingFile, recency
from .data.terms import Terms
from .holdout.added import Hashes
from .holdout.git import GitError
from .holdout.history import History
from .holdout.holdout import HoldOut, HoldoutRules, hold_out
from .holdout.learnt import fresh_share, without_learnt
from .outlines.extract import extract
from .outlines.extraction_cache import ExtractionCache
from .prepared import Cut, Known, Prepared
from .questions import Questions, source_of

GENERAL_STRETCHES = 40
GENERAL_CHOOSING = 32
"""Spans of general code that choose the scale; as many as of newer code at most."""
MOST_REASONS = 3
LARGEST_HOLDOUT = 5_000
"""Lines held out at most: of a large repository a tenth would reach back for years."""


LEAST_UNSEEN = 0.5
"""Which part of the code that is held out must be new to the adapter that serves, for a run to
start from it."""


class NothingToLearnError(TenonError):
    """A repository without code that could be learnt."""


def prepare(
    root: Path,
    terms: Terms,
    mix: SampleMix,
    *,
    most: Budget | None = None,
    ledger: Ledger,
    cache: ExtractionCache | None,
    seed: int = 1,
    known: Known | None = None,
    kept: Cut | None = None,
    processes: int | None = None,
    told: Callable[[str], None] = lambda _step: None,
) -> Prepared:
    """Read a repository; ``told`` hears what is being done.

    ``most`` bounds the prompts that are learnt from, and those that training is measured by, below
    the ones that serve and that the gate asks with.
    Of what is held out, the lines that the serving adapter has read (``known``) are left out: it
    knows them by heart, and nothing could win against that. If too little remains, it must not be
    started from. If it is, samples are drawn more often from files that are new to it. ``kept`` is
    how a run that was cut short cut its prompts: if the texts are the same, these are cut so too.
    ``processes`` parse (all cores, up to eight). Raises NothingToLearnError, and SettingsError for
    a faulty ``tenon.toml``.
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
    is_unseen = False
    if known is not None:
        whole, holdout = holdout, without_learnt(holdout, known.lines)
        is_unseen = holdout.lines >= LEAST_UNSEEN * whole.lines
    told("parsing and curating")
    curated = curate(extract(holdout.training, cache, processes=processes), ledger)
    if not curated.files:
        raise NothingToLearnError(_nothing(root, ledger))
    data_sha256 = _checksum(curated.files)
    if kept is not None and kept.data_sha256 == data_sha256:
        terms = replace(terms, budget=kept.budget)
    lessons = terms.within(most) if most else terms
    weights = _recent(history, holdout, mix.half_life)
    if known is not None and known.started and is_unseen:
        weights = _fresh(curated, weights, known.lines, mix.fresh)
    repository = Codebase(
        root.name,
        _weighted(curated, holdout, weights),
        RepositoryIndex.of_files([entry.file for entry in curated.files]),
    )
    dataset = Dataset(repository, general.replayed(), mix, lessons, seed)
    told("cutting what is held out")
    questions = Questions.of(holdout, terms, lessons, root.name, seed)
    return Prepared(
        holdout=holdout,
        curated=curated,
        dataset=dataset,
        validation=questions.validation,
        newer=questions.newer,
        general=general.asked(GENERAL_STRETCHES, seed),
        data_sha256=data_sha256,
        commit=history.head.id if history else None,
        choosing=questions.choosing,
        remembered=tuple(
            lessons.sample(source_of(example), example.middle)
            for example in general.choosing(GENERAL_CHOOSING, seed)
        ),
        unseen=is_unseen,
        budget=terms.budget,
    )


def _nothing(root: Path, ledger: Ledger) -> str:
    """What to do about a repository without code, with the commonest reasons."""
    files = [it for it in ledger.summary() if it.what == "file"][:MOST_REASONS]
    why = ", ".join(f"{it.reason} ({it.count}, such as {it.examples[0].path})" for it in files)
    told = f"; left out: {why}" if why else ""
    return f"{root} holds no code to learn from; give the folder of a repository with code{told}"


def _recent(history: History | None, holdout: HoldOut, half_life: float) -> dict[str, float]:
    """How much the files count by their age; all the same where git cannot tell."""
    if history is None:
        return {}
    try:
        changed = history.last_changed(holdout.commit)
    except GitError:
        return {}
    return recency(changed, max(changed.values(), default=0.0), half_life)


def _fresh(
    curated: Curated, weights: Mapping[str, float], learnt: Hashes, times: float
) -> dict[str, float]:
    """Weights by path, ``times`` as high for a file of which nothing was learnt; of one that was
    changed, by the share of its lines that are new.
    """
    shares = {it.file.path: fresh_share(it.file.text, learnt) for it in curated.files}
    return {
        path: weights.get(path, 1.0) * (1 + (times - 1) * share) for path, share in shares.items()
    }


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


def _checksum(files: Sequence[CuratedFile]) -> str:
    digest = sha256()
    for entry in files:
        digest.update(f"{entry.file.path}\0{entry.file.text}\0".encode())
    return digest.hexdigest()
