"""One run: extract, curate, train, export, judge, publish. What fails or loses changes nothing.

The engine is asked at the beginning (which model, how fast) and at the end (the gate), as
background work; a user's completions go first.
"""

import asyncio
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import msgspec
import torch

from lsp_server.errors import AdapterError, SettingsError
from lsp_server.store.adapter_manifest import FILE, GATE, PEFT, AdapterFacts
from lsp_server.store.adapters import AdapterRegistry
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from lsp_server.store.runs import EventLog, Run, RunLock, RunStore

from .adapter.export import export_lora
from .base.loading import load_base
from .curation.ledger import Ledger
from .evaluation.engines import shared_engine
from .gate.judge import Trial, judge
from .gate.report import GateReport, Limits
from .gate.scoring import TimeBudget
from .interruption import Interruption, interruptible
from .outlines.extraction_cache import ExtractionCache
from .preparation import Prepared, prepare
from .recipe.config import RecipeConfig, TrainConfig
from .recipe.machine import Machine, machine_for
from .recipe.recipe import TrainingEvent, Watcher, losses_at, steps_of, train
from .recipe.trainee import Trainee, with_adapter
from .served import ServedBase, ask_served, check_still_served

GATE_SECONDS = 420.0
SCALES = (0.5, 0.75, 1.0)
"""What an adapter is tried at on the code that chose its checkpoint, which the gate never asks."""
NO_ADAPTER = ("full", "dora")
"""Methods whose result no engine can serve beside its base."""
CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run. ``adapter`` is the published one's id, promoted or not."""

    adapter: str
    report: GateReport
    run: Path


@dataclass(frozen=True, slots=True)
class Listener:
    """Who follows a run: stages in words, training's events, the gate's progress."""

    stage: Callable[[str], None] = lambda _text: None
    event: Callable[[TrainingEvent], None] = lambda _event: None
    judged: Callable[[str, int, int], None] = lambda _step, _done, _total: None


@dataclass(frozen=True, slots=True)
class _Job:
    """What a run is about, once it is known; ``begin`` tells of a stage, unless it is cancelled."""

    run: Run
    store: RepositoryStore
    prepared: Prepared
    base: ServedBase
    recipe: RecipeConfig
    cancelled: Interruption
    begin: Callable[[str], None]

    @property
    def candidate(self) -> Path:
        return self.run.candidate / FILE


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """One repository, one configuration; ``gate_seconds`` 0 is no limit."""

    root: Path
    paths: StorePaths
    config: TrainConfig
    listener: Listener = field(default_factory=Listener)
    gate_seconds: float = GATE_SECONDS
    limits: Limits = field(default_factory=Limits)

    def prepared(self, ledger: Ledger) -> Prepared:
        """Only what would be learnt from, and what was left out. Trains nothing, keeps no run."""
        store = RepositoryStore.of(self.paths, self.root)
        base = asyncio.run(self._ask_base(self.listener.stage))
        with _cache(store) as cache:
            return self._prepare(base, ledger, cache, self.listener.stage)

    def execute(self) -> Outcome:
        """Train, judge, publish; raises RunCancelledError, RunBusyError, other TenonErrors.

        The adapter serves from then on if the gate says so; whatever happens before that leaves the
        store's adapters as they were. For the main thread: it listens to signals.
        """
        if self.config.recipe.method in NO_ADAPTER:
            raise SettingsError(
                f"the method {self.config.recipe.method!r} makes no adapter that could serve; "
                "leave --method out, or use lora"
            )
        store = RepositoryStore.of(self.paths, self.root)
        with interruptible() as cancelled, RunLock(store):

            def tell(stage: str) -> None:
                cancelled.check()
                self.listener.stage(stage)

            base = asyncio.run(self._ask_base(tell))
            machine, recipe = machine_for(self.config.recipe, base.model.path)
            run = RunStore(store).begin(msgspec.toml.encode(self.config))
            with EventLog(run.events) as events:

                def begin(stage: str) -> None:
                    tell(stage)
                    events.tell({"kind": "stage", "stage": stage})

                with Ledger(run.samples) as ledger, _cache(store) as cache:
                    prepared = self._prepare(base, ledger, cache, begin)
                job = _Job(run, store, prepared, base, recipe, cancelled, begin)
                scale = self._train(job, machine, events)
                report = asyncio.run(self._judged(job, scale))
                events.tell({"kind": "verdict", "verdict": report.verdict})
            return self._publish(job, report)

    async def _ask_base(self, begin: Callable[[str], None]) -> ServedBase:
        """What serves, and its file, which is trained over."""
        begin("asking the engine which model it serves")
        async with shared_engine(self.paths, lambda entry: begin(entry.arriving)) as engine:
            return await ask_served(engine, self.paths, self.root)

    def _prepare(
        self, base: ServedBase, ledger: Ledger, cache: ExtractionCache, begin: Callable[[str], None]
    ) -> Prepared:
        return prepare(
            self.root, base.terms, self.config.mix, ledger=ledger, cache=cache,
            seed=self.config.recipe.seed, told=begin,
        )  # fmt: skip

    def _train(self, job: _Job, machine: Machine, events: EventLog) -> float:
        """Leave a candidate in the run's folder; returns the scale that suits it best."""
        model = job.base.model
        job.begin(f"loading {model.name}")
        if machine.threads:
            torch.set_num_threads(machine.threads)
        base = load_base(model.path, machine.precision, machine.device)
        material = job.prepared.material(job.base.identity)
        adapted = with_adapter(base, job.recipe, steps=steps_of(material.pass_size, job.recipe))
        trainee = Trainee(adapted, compiled=machine.compiled, kept=machine.kept)

        def report(event: TrainingEvent) -> None:
            events.tell({"kind": "step", **asdict(event)})
            self.listener.event(event)

        job.begin("training")
        checkpoint = checkpoint_of(job.run, RunStore(job.store))
        train(trainee, material, job.recipe, Watcher(report, job.cancelled, checkpoint))
        job.begin("choosing the adapter's scale")
        losses = losses_at(SCALES, trainee, material, job.recipe)
        job.run.candidate.mkdir(parents=True, exist_ok=True)
        adapted.save_pretrained(job.run.candidate / PEFT)
        export_lora(adapted, model.path, job.candidate)
        checkpoint.unlink(missing_ok=True)
        return min(losses, key=losses.__getitem__)

    async def _judged(self, job: _Job, scale: float) -> GateReport:
        """What the engine says of the candidate; raises TrainingCancelledError."""
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()  # the engine's model may need the room
        job.begin("judging")
        trial = Trial(
            newer=job.prepared.newer,
            general=job.prepared.general,
            candidate=job.candidate,
            budget=job.prepared.dataset.terms.budget,
            current=_current(job),
            scales=(scale,),
            limits=self.limits,
            within=TimeBudget(self.gate_seconds or None),
        )
        async with shared_engine(self.paths, lambda _entry: None) as engine:
            await check_still_served(engine, job.base)
            return await job.cancelled.unless(judge(engine, trial, self.listener.judged))

    def _publish(self, job: _Job, report: GateReport) -> Outcome:
        (job.run.candidate / GATE).write_bytes(msgspec.json.format(msgspec.json.encode(report)))
        scale = report.sweep.scale if report.sweep else 1.0
        facts = AdapterFacts(
            repository=job.store.name,
            commit=job.prepared.holdout.commit or job.prepared.commit,
            base=job.base.identity,
            base_name=job.base.model.name,
            fim_format=job.base.info.fim.name,
            recipe=msgspec.to_builtins(msgspec.structs.replace(self.config, recipe=job.recipe)),
            data_sha256=job.prepared.data_sha256,
            rank=job.recipe.rank,
            scale=scale,
            verdict="promoted" if report.promoted else "rejected",
            gate=report.summary,
        )
        registry = AdapterRegistry(job.store)
        adapter = registry.publish(job.run.candidate, facts)
        if report.promoted:
            registry.activate(adapter.id, scale)
        return Outcome(adapter.id, report, job.run.folder)


def checkpoint_of(run: Run, runs: RunStore) -> Path:
    """Where a run saves itself, with what the newest run that was killed or cancelled left there.

    Training goes on from it if it is of the same base, samples and settings, and else begins anew.
    """
    run.checkpoints.mkdir(parents=True, exist_ok=True)
    own = run.checkpoints / CHECKPOINT
    former = (it.checkpoints / CHECKPOINT for it in runs.all() if it.id != run.id)
    if left := next((path for path in former if path.is_file()), None):
        left.replace(own)
    return own


def _current(job: _Job) -> tuple[Path, float] | None:
    """The adapter that serves, and its scale; None too where it is of another base, or damaged."""
    try:
        active = AdapterRegistry(job.store).active(job.base.identity)
    except AdapterError:
        return None
    return (active.adapter.path, active.scale) if active else None


@contextmanager
def _cache(store: RepositoryStore) -> Iterator[ExtractionCache]:
    store.ensure()
    with ExtractionCache(store.cache / "outlines.sqlite") as cache:
        yield cache
