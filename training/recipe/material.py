"""What a run is given: samples to learn from, and somebody who follows it."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lsp_server.errors import TenonError

from ..data.samples import Sample


class TrainingCancelledError(TenonError):
    """The user, or the system, asked a run to stop."""


@dataclass(frozen=True, slots=True)
class TrainingEvent:
    """What some steps came to.

    ``loss`` and ``heldout`` are mean cross entropies of answers, in nats per token; ``heldout`` is
    None where there is nothing held out. ``steps`` are those of the whole run; where time ends it,
    as many as its speed so far promises. ``eta`` is in seconds.
    """

    step: int
    steps: int
    loss: float
    learning_rate: float
    tokens_per_second: float
    eta: float
    heldout: float | None = None


@dataclass(frozen=True, slots=True)
class Material:
    """What a run learns from: ``samples(start, step)`` are endless, ``pass_size`` of them a pass.

    ``heldout`` chooses the weights that are kept; ``general`` is code of nobody's repository, which
    an adapter must not forget, and chooses its strength. ``unlearned`` are the control tokens that
    only a prompt holds, ``pieces`` the bytes of every token, by which healing chooses. ``identity``
    tells this material and base from any other, so that no run goes on from another's checkpoint.
    """

    samples: Callable[[int, int], Iterator[Sample]]
    pass_size: int
    heldout: Sequence[Sample] = ()
    general: Sequence[Sample] = ()
    unlearned: frozenset[int] = frozenset()
    pieces: Sequence[bytes] = ()
    identity: str = ""


@dataclass(frozen=True, slots=True)
class Watcher:
    """Whoever follows a run: is told of its steps, may stop it, and says where it is saved.

    ``clock`` gives the seconds that its time budget and its speed are counted in.
    """

    report: Callable[[TrainingEvent], None]
    cancelled: Callable[[], bool] = lambda: False
    checkpoint: Path | None = None
    clock: Callable[[], float] = time.monotonic
