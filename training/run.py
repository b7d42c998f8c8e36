"""One run: extract, curate, train, export, judge, publish. What fails or loses changes nothing.

The engine is asked at the beginning (which model, how fast) and at the end (the gate), as
background work; a user's completions go first.
"""

import asyncio
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import torch

from lsp_server.errors import SettingsError
from lsp_server.store.adapters import AdapterRegistry
from lsp_server.store.choosing import serving_store
from lsp_server.store.locks import MachineLock, RunLock
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from lsp_server.store.runs import EventLog, RunStore

from .clock import ActiveClock
from .curation.ledger import Ledger
from .evaluation.engines import shared_engine
from .gate.judge import Trial, judge
from .gate.report import GateReport, Limits
from .gate.timing import TimeBudget
from .interruption import interruptible
from .outlines.extraction_cache import ExtractionCache
from .preparation import prepare
from .prepared import Cut, Known, Prepared
from .recipe.config import RecipeConfig, TrainConfig
from .recipe.machine import Machine, machine_for
from .running.candidate import make_candidate, train_candidate
from .running.job import Job, Listener, Unheard
from .running.memory import check_memory
from .running.plan import Plan
from .running.publishing import publish
from .running.resuming import checkpoint_of, clear, keep_cut, kept_cut
from .running.start import Start, scratch_is_due, start_of
from .running.team import ALONE, Team
from .served import ServedBase, ask_served, check_still_served

GATE_SECONDS = 300.0
NO_ADAPTER = ("full", "dora")
"""Methods whose result no engine can serve beside its base."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run. ``adapter`` is the published one's id, promoted or not."""

    adapter: str
    report: GateReport
    run: Path


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """One repository, one configuration; ``gate_seconds`` 0 is no limit.

    ``threads`` are as many as may compute, here and in the processes that parse (0: as suits).
    """

    root: Path
    paths: StorePaths
    config: TrainConfig
    listener: Listener = field(default_factory=Listener)
    gate_seconds: float = GATE_SECONDS
    limits: Limits = field(default_factory=Limits)
    threads: int = 0

    def prepared(self, ledger: Ledger) -> tuple[Prepared, RecipeConfig]:
        """Only what would be learnt from, how on this machine, and what was left out. Trains
        nothing, keeps no run.
        """
        store = RepositoryStore.of(self.paths, self.root)
        base = asyncio.run(self._ask_base(self.listener.stage))
        with _cache(store) as cache:
            machine, recipe = machine_for(self.config.recipe, base.model.path, threads=self.threads)
            prepared = self._prepare(
                base, machine, None, None, ledger=ledger, cache=cache, begin=self.listener.stage
            )
        return prepared, recipe

    def execute(self, team: Team = ALONE) -> Outcome:
        """Train, judge, publish; raises RunCancelledError, NotNowError, other TenonErrors.

        The adapter serves from then on if the gate says so; whatever happens before that leaves the
        store's adapters as they were. For the main thread: it listens to signals. Of several
        processes (``team``) for the one that leads; the others :meth:`help`.
        """
        if self.config.recipe.method in NO_ADAPTER:
            raise SettingsError(
                f"the method {self.config.recipe.method!r} makes no adapter that could serve; "
                "leave --method out, or use lora"
            )
        store = RepositoryStore.of(self.paths, self.root)
        alone = RunLock(store), MachineLock(self.paths, store.name)
        with interruptible() as cancelled, alone[0], alone[1], ActiveClock() as clock:

            def tell(stage: str) -> None:
                cancelled.check()
                self._check_root()
                self.listener.stage(stage)

            base = asyncio.run(self._ask_base(tell))
            machine, recipe = machine_for(
                self.config.recipe, base.model.path, threads=self.threads, processes=team.size
            )
            check_memory(base.model.path, machine, recipe)
            run = RunStore(store).begin(msgspec.toml.encode(self.config))
            with EventLog(run.events) as events:

                def begin(stage: str) -> None:
                    tell(stage)
                    events.tell({"kind": "stage", "stage": stage})

                start = self._start(store, base, recipe)
                checkpoint = checkpoint_of(run, RunStore(store))
                kept = kept_cut(checkpoint, base.identity, base.info.context)
                with Ledger(run.samples) as ledger, _cache(store) as cache:
                    prepared = self._prepare(
                        base, machine, start.known, kept, ledger=ledger, cache=cache, begin=begin
                    )
                events.tell({"kind": "material", **prepared.counts()})
                known, start = start.known, start.judged_fairly(unseen=prepared.unseen)
                config = msgspec.structs.replace(self.config, recipe=start.shortened(recipe))
                job = Job(
                    run, store, base, prepared, config, machine, start, cancelled, clock, events,
                    self.listener, self.limits, begin, checkpoint,
                )  # fmt: skip
                keep_cut(checkpoint, job.cut)
                team.hand_out(Plan.of(job, known))
                scale = make_candidate(job, team)
                report = asyncio.run(self._judged(job, scale))
                begin("publishing")
                adapter = publish(job, report)
                events.tell({"kind": "verdict", "verdict": report.verdict})
            clear(RunStore(store))
            return Outcome(adapter.id, report, run.folder)

    def help(self, team: Team) -> None:
        """Train with the process that leads, as it has settled; leaves nothing on disk but outlines
        in the cache. Raises as :meth:`execute` does.
        """
        store = RepositoryStore.of(self.paths, self.root)
        with interruptible() as cancelled, ActiveClock() as clock:
            plan: Plan | None = team.hand_out(None)
            if plan is None:
                raise AssertionError("the process that leads helps nobody")

            def begin(_stage: str) -> None:
                cancelled.check()

            base = plan.base()
            machine, _ = machine_for(plan.config.recipe, base.model.path, threads=self.threads)
            with _cache(store) as cache:
                prepared = self._prepare(
                    base, machine, plan.known, plan.cut, ledger=Ledger(), cache=cache, begin=begin
                )
            plan.check(prepared)
            job = Job(
                plan.run, store, base, prepared, plan.config, machine, plan.start, cancelled, clock,
                Unheard(), Listener(), self.limits, begin, plan.checkpoint,
            )  # fmt: skip
            train_candidate(job)
            team.part()

    async def _ask_base(self, begin: Callable[[str], None]) -> ServedBase:
        """What serves, and its file, which is trained over."""
        begin("asking the engine which model it serves")
        async with shared_engine(self.paths, lambda entry: begin(entry.arriving)) as engine:
            return await ask_served(engine, self.paths, self.root)

    def _prepare(
        self,
        base: ServedBase,
        machine: Machine,
        known: Known | None,
        kept: Cut | None,
        *,
        ledger: Ledger,
        cache: ExtractionCache,
        begin: Callable[[str], None],
    ) -> Prepared:
        return prepare(
            self.root, base.terms, self.config.mix, most=machine.prompt, ledger=ledger, cache=cache,
            known=known, kept=kept, seed=self.config.recipe.seed, processes=self.threads or None,
            told=begin,
        )  # fmt: skip

    def _serving(self) -> AdapterRegistry:
        """Of what serves the folder, be it another one's: an adapter that is promoted here takes
        its place.
        """
        return AdapterRegistry(serving_store(self.paths, self.root).store)

    def _start(self, store: RepositoryStore, base: ServedBase, recipe: RecipeConfig) -> Start:
        due = scratch_is_due(RunStore(store), recipe.scratch_every)
        return start_of(self._serving(), base.identity, recipe, scratch_is_due=due)

    def _current(self, base: ServedBase) -> tuple[Path, float] | None:
        """What serves, and its scale; None too where it is of another base, or damaged."""
        active = self._serving().usable(base.identity)
        return (active.adapter.path, active.scale) if active else None

    async def _judged(self, job: Job, scale: float) -> GateReport:
        """What the engine says of the candidate; raises TrainingCancelledError."""
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()  # the engine's model may need the room
        job.begin("judging")
        trial = Trial(
            newer=job.prepared.newer,
            general=job.prepared.general,
            candidate=job.candidate,
            budget=job.prepared.budget,
            end=job.prepared.dataset.terms.end,
            current=self._current(job.base),
            scale=scale,
            limits=self.limits,
            within=TimeBudget(self.gate_seconds or None, job.clock),
        )
        async with shared_engine(self.paths, lambda _entry: None) as engine:
            await check_still_served(engine, job.base)
            return await job.cancelled.unless(judge(engine, trial, self.listener.judged))

    def _check_root(self) -> None:
        """What is gone is not learnt any more, and no adapter of it is published."""
        if not self.root.is_dir():
            raise SettingsError(
                f"{self.root} is gone, so its training ended; what served before goes on serving"
            )


@contextmanager
def _cache(store: RepositoryStore) -> Iterator[ExtractionCache]:
    store.ensure()
    with ExtractionCache(store.cache / "outlines.sqlite") as cache:
        yield cache
