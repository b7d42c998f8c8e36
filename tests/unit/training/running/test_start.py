"""Where a run starts; the adapters are real folders of a real store."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from lsp_server.store.adapters import AdapterRegistry
from lsp_server.store.adapters.manifest import FILE, PEFT, AdapterFacts, GateSummary
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from lsp_server.store.runs import KEPT_RUNS, EventLog, RunStore
from tests.train_extra import torch  # noqa: F401 - skips this file where training is not set up
from training.holdout.learnt import save_learnt
from training.recipe.config import RecipeConfig, TrainConfig
from training.recipe.warm import WEIGHTS
from training.running.start import LEARNT, Start, scratch_is_due, start_of

BASE = "b" * 64
RECIPE = RecipeConfig(method="lora", rank=8)
LINES = np.arange(5, dtype=np.int64)


@pytest.fixture
def store(tmp_path: Path) -> RepositoryStore:
    return RepositoryStore.of(StorePaths(tmp_path / "home"), tmp_path / "app")


def served(store: RepositoryStore, *without: str, recipe: RecipeConfig = RECIPE) -> str:
    """Publish and promote an adapter ``without`` some of its files; returns its id."""
    candidate = store.runs / "candidate"
    (candidate / PEFT).mkdir(parents=True)
    (candidate / FILE).write_bytes(b"lora")
    (candidate / PEFT / WEIGHTS).write_bytes(b"weights")
    save_learnt(candidate / LEARNT, LINES)
    for name in without:
        (candidate / name).unlink()
    facts = AdapterFacts(
        repository="app", commit=None, base=BASE, base_name="tiny", fim_format="plain",
        recipe=msgspec.to_builtins(TrainConfig(recipe=recipe)), data_sha256="", rank=recipe.rank,
        scale=1.0, verdict="promoted",
        gate=GateSummary(gain=0.1, lower=0.1, spans=1, reason="better"),
    )  # fmt: skip
    registry = AdapterRegistry(store)
    adapter = registry.publish(candidate, facts)
    registry.promote(adapter.id, 1.0)
    return adapter.id


def start(
    store: RepositoryStore, recipe: RecipeConfig = RECIPE, base: str = BASE, *, due: bool = False
) -> Start:
    return start_of(AdapterRegistry(store), base, recipe, scratch_is_due=due)


def test_a_run_starts_from_the_adapter_that_serves(store: RepositoryStore):
    adapter = served(store)
    found = start(store)
    assert (found.warm, found.id) == (True, adapter)
    assert (found.weights / WEIGHTS).read_bytes() == b"weights"
    assert np.array_equal(found.known.lines, LINES)
    assert found.known.started
    assert np.array_equal(found.inherited, LINES)
    assert found.shortened(RECIPE).passes == RECIPE.warm_passes < RECIPE.passes


def test_what_serves_may_not_have_read_what_its_successor_is_asked(store: RepositoryStore):
    served(store)
    found = start(store)
    assert found.judged_fairly(unseen=True) is found
    anew = found.judged_fairly(unseen=False)
    assert (anew.warm, anew.id, anew.weights, anew.inherited) == (False, None, None, None)
    assert "too little code is newer" in anew.why
    assert anew.shortened(RECIPE) == RECIPE


def test_without_an_adapter_it_starts_from_scratch(store: RepositoryStore):
    found = start(store)
    assert (found.current, found.known, found.id) == (None, None, None)
    assert found.why == "no adapter serves yet"


def test_what_serves_over_another_base_is_nobodys_start(store: RepositoryStore):
    served(store)
    assert start(store, base="c" * 64).current is None


@pytest.mark.parametrize(
    ("missing", "why"),
    [(LEARNT, "nobody knows what"), (f"{PEFT}/{WEIGHTS}", "came without weights")],
)
def test_an_adapter_that_lacks_something_is_no_start(
    store: RepositoryStore, missing: str, why: str
):
    adapter = served(store, missing)
    found = start(store)
    assert found.current.adapter.id == adapter
    assert (found.warm, found.id) == (False, None)
    assert why in found.why


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"rank": 4}, "recipe.rank is another"), ({"modules": ("q_proj",)}, "recipe.modules"),
     ({"alpha": 1.0}, "recipe.alpha"), ({"method": "qlora"}, "recipe.method"),
     ({"method": "adalora"}, "the method adalora always does")],
)  # fmt: skip
def test_an_adapter_of_another_recipe_is_no_start(
    store: RepositoryStore, changes: dict[str, object], why: str
):
    served(store)
    found = start(store, msgspec.structs.replace(RECIPE, **changes))
    assert not found.warm
    assert why in found.why


def test_a_schedule_has_it_start_from_scratch(store: RepositoryStore):
    served(store)
    found = start(store, due=True)
    assert (found.warm, found.why) == (False, "every run of 5 does")
    assert found.known is not None
    assert not found.known.started


def ran(store: RepositoryStore, *starts: str | None, verdict: bool = True) -> RunStore:
    """Runs that started there, one after the other."""
    runs = RunStore(store)
    for origin in starts:
        with EventLog(runs.begin(b"").events) as log:
            log.tell({"kind": "start", "from": origin})
            if verdict:
                log.tell({"kind": "verdict"})
    return runs


def test_every_nth_run_starts_from_scratch(store: RepositoryStore):
    runs = ran(store, None, "a", "a")
    assert scratch_is_due(runs, 3)
    assert not scratch_is_due(runs, 4)
    assert scratch_is_due(runs, 1)
    ran(store, None)
    assert not scratch_is_due(runs, 2)


def test_runs_that_were_killed_do_not_count(store: RepositoryStore):
    runs = ran(store, None, "a")
    ran(store, "a", None, verdict=False)
    assert not scratch_is_due(runs, 3)
    ran(store, "a")
    assert scratch_is_due(runs, 3)


def test_scratch_is_due_where_its_last_run_was_forgotten(store: RepositoryStore):
    runs = ran(store, None, *("a" for _ in range(KEPT_RUNS - 2)))
    ran(store, "a", "a", verdict=False)
    assert scratch_is_due(runs, KEPT_RUNS)
