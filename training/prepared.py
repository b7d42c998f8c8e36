"""What a repository came to: what a run learns from and is judged by, and what that depends on."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from lsp_server.prompt.formats import Special
from lsp_server.prompt.window import Budget

from .curation.curate import Curated
from .data.dataset import Dataset
from .data.samples import Sample
from .evaluation.stretches import Stretch
from .holdout.added import Hashes
from .holdout.holdout import HoldOut
from .recipe.material import Material


@dataclass(frozen=True, slots=True)
class Known:
    """What the adapter that serves has read: numbers of ``lines`` as
    :func:`training.holdout.learnt.learnt_lines` gives them; ``started``: a run would start from it.
    """

    lines: Hashes
    started: bool


@dataclass(frozen=True, slots=True)
class Cut:
    """How long the prompts are that some texts were cut to, over which base and context.

    It follows from the speed that the engine has just then. A run that goes on must go on with the
    one that it began with, or it would compare losses of prompts that are not the same.
    """

    base: str
    context: int | None
    data_sha256: str
    budget: Budget


@dataclass(frozen=True, slots=True)
class Prepared:
    """``newer`` and ``general`` are the gate's questions, ``validation`` those of early stopping,
    which the spans ``choosing`` (ids) are of; ``remembered`` is general code that the gate never
    asks, which chooses the scale beside ``validation``.

    ``data_sha256`` is of all texts that are learnt from. ``commit`` is the working tree's.
    ``budget`` is what the gate's prompts are cut to; those of ``dataset`` may be shorter.
    ``unseen``: most of what is newer is new to the adapter that serves as well, as far as is known.
    """

    holdout: HoldOut
    curated: Curated
    dataset: Dataset
    validation: tuple[Sample, ...]
    newer: tuple[Stretch, ...]
    general: tuple[Stretch, ...]
    data_sha256: str
    commit: str | None
    budget: Budget
    choosing: tuple[str, ...] = ()
    remembered: tuple[Sample, ...] = ()
    unseen: bool = False

    def counts(self) -> dict[str, int | str]:
        """How much there is to learn from and to judge by, for a run's log."""
        return {
            "files": len(self.curated.files),
            "pairs": sum(len(entry.pairs) for entry in self.curated.files),
            "samples": self.dataset.pass_size,
            "split": self.holdout.split,
            "lines": self.holdout.code_lines,
            "held_out": self.holdout.lines,
            "newer": sum(map(len, self.newer)),
            "general": sum(map(len, self.general)),
        }

    def material(self, base: str, start: str = "") -> Material:
        """As the recipe takes it; ``base`` is the identity of the model that is trained over, and
        ``start`` the id of the adapter that is started from, if any.
        """
        chosen = sha256("\0".join(self.choosing).encode("utf-8", "surrogateescape")).hexdigest()
        drawn = f"{self.dataset.mix}/{self.dataset.terms.budget}"
        return Material(
            samples=self.dataset.samples,
            pass_size=self.dataset.pass_size,
            heldout=self.validation,
            general=self.remembered,
            unlearned=frozenset(unlearned(self.dataset)),
            pieces=self.dataset.terms.tokenizer.pieces,
            identity=f"{base}/{start}/{self.data_sha256}/{chosen}/{drawn}",
        )


def unlearned(dataset: Dataset) -> Iterator[int]:
    """The control tokens of a format's prompts, which are never to be predicted."""
    fim, ids = dataset.terms.fim, dataset.terms.tokenizer.ids
    entries = [*fim.layout]
    if layout := fim.repository:
        entries += [*layout.repository, *layout.file, *layout.current]
    for entry in entries:
        if isinstance(entry, Special) and entry.token in ids:
            yield ids[entry.token]
