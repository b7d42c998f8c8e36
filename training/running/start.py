"""Where a run starts: from the adapter that serves, or from scratch, and why."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from lsp_server.store.adapters import ActiveAdapter, AdapterRegistry
from lsp_server.store.adapters.manifest import PEFT
from lsp_server.store.runs import KEPT_RUNS, RunStore

from ..holdout.added import Hashes
from ..holdout.learnt import load_learnt
from ..prepared import Known
from ..recipe.config import RecipeConfig
from ..recipe.warm import WEIGHTS

LEARNT = "learnt.npy"
"""Beside an adapter: the lines that it and those that it started from were trained on."""
WARM_METHODS = ("lora", "qlora")
"""AdaLoRA has given its ranks away by the end of a run."""
SAME = ("method", "rank", "alpha", "modules")
"""What an adapter must have in common with the recipe of a run that starts from it."""


@dataclass(frozen=True, slots=True)
class Start:
    """``current`` is the adapter that serves, ``learnt`` the lines that it has read (None: there is
    no such adapter, or nobody knows). ``why`` a run starts where it does is in plain words.
    """

    current: ActiveAdapter | None
    learnt: Hashes | None
    warm: bool
    why: str

    @property
    def known(self) -> Known | None:
        """What preparation has to know of the adapter that serves."""
        return None if self.learnt is None else Known(self.learnt, self.warm)

    @property
    def id(self) -> str | None:
        """The adapter that is started from."""
        return self.current.adapter.id if self.current and self.warm else None

    @property
    def weights(self) -> Path | None:
        """Where its weights lie."""
        return self.current.adapter.path.parent / PEFT if self.current and self.warm else None

    @property
    def inherited(self) -> Hashes | None:
        """What the run's adapter will have read before the run began."""
        return self.learnt if self.warm else None

    def shortened(self, recipe: RecipeConfig) -> RecipeConfig:
        """A recipe with the passes that are due: fewer for what knows most of it already."""
        return msgspec.structs.replace(recipe, passes=recipe.warm_passes) if self.warm else recipe

    def judged_fairly(self, *, unseen: bool) -> "Start":
        """From scratch after all, if what serves has read what its successor would be asked."""
        if not self.warm or unseen:
            return self
        why = "too little code is newer than what the adapter that serves has learnt"
        return Start(self.current, self.learnt, warm=False, why=why)


def start_of(
    registry: AdapterRegistry, base: str, recipe: RecipeConfig, *, scratch_is_due: bool
) -> Start:
    """Where a run of ``recipe`` over the base of that identity starts."""
    current = registry.usable(base)
    if current is None:
        return Start(None, None, warm=False, why="no adapter serves yet")
    learnt = load_learnt(current.adapter.path.parent / LEARNT)
    why = _against(current, recipe)
    if learnt is None:
        why = "nobody knows what the adapter that serves has learnt"
    elif not why and scratch_is_due:
        why = f"every run of {recipe.scratch_every} does"
    return Start(current, learnt, warm=not why, why=why or "it serves")


def scratch_is_due(runs: RunStore, every: int) -> bool:
    """Whether ``every`` - 1 runs that came to a verdict have started from an adapter since one
    that started from scratch.
    """
    warm, kept = 0, runs.all()
    for run in kept:
        events = {event.get("kind"): event for event in run.read_events()}
        if "verdict" not in events:
            continue
        if events.get("start", {}).get("from") is None:
            return warm >= every - 1
        warm += 1
    # Where no run from scratch is known any more, it was long ago.
    return warm >= every - 1 or (warm > 0 and len(kept) >= KEPT_RUNS)


def _against(current: ActiveAdapter, recipe: RecipeConfig) -> str:
    """What keeps a run from starting from an adapter; "" if nothing does."""
    if recipe.method not in WARM_METHODS:
        return f"the method {recipe.method} always does"
    then = current.adapter.recipe.get("recipe", {})
    for name in SAME:
        before, now = then.get(name), getattr(recipe, name)
        if before != (list(now) if isinstance(now, tuple) else now):
            return f"recipe.{name} is another than the serving adapter's"
    if not (current.adapter.path.parent / PEFT / WEIGHTS).is_file():
        return "the adapter that serves came without weights to train on"
    return ""
