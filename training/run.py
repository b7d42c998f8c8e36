"""One run: extract, curate, train, export, judge, publish. What fails or loses changes nothing.

The engine is asked at the beginning (which model, how fast) and at the end (the gate), as
background work; a user's completions go first.
"""

import asyncio
import gc
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType

import msgspec
import torch

from lsp_server.completion.budget import budget_for
from lsp_server.completion.engine import EngineInfo
from lsp_server.engine.client import HttpEngine
from lsp_server.errors import ModelError
from lsp_server.store.adapter_manifest import FILE, GATE, PEFT, AdapterFacts, base_identity
from lsp_server.store.adapters import AdapterRegistry
from lsp_server.store.models import InstalledModel, ModelStore
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from lsp_server.store.runs import EventLog, Run, RunLock, RunStore

from .adapter.export import export_lora
from .base.loading import load_base
from .base.tokenizer import TextTokenizer
from .curation.ledger import Ledger
from .evaluation.engines import shared_engine
from .gate.judge import Trial, judge
from .gate.report import GateReport, Limits
from .gate.scoring import TimeBudget
from .outlines.extraction_cache import ExtractionCache
from .preparation import Prepared, Terms, prepare
from .recipe.config import RecipeConfig, TrainConfig
from .recipe.machine import Machine, machine_for
from .recipe.recipe import (
    TrainingCancelledError,
    TrainingEvent,
    Watcher,
    losses_at,
    steps_of,
    train,
)
from .recipe.trainee import Trainee, with_adapter

LATENCY_TARGET_MS = 600.0
"""What the server aims at: the budgets that samples and questions are cut to follow from it."""
ENDS = ("<|endoftext|>", "<｜end▁of▁sentence｜>", "</s>", "<eos>", "▁<EOT>")
"""What ends an answer, family by family; the first one that a vocabulary and its format have."""
CHECKED_TEXTS = 8
GATE_SECONDS = 420.0
SCALES = (0.5, 0.75, 1.0)
"""What an adapter is tried at on the code that chose its checkpoint, which is none of the gate's."""


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
    """What a run is about, once it is known."""

    run: Run
    store: RepositoryStore
    prepared: Prepared
    info: EngineInfo
    model: InstalledModel
    recipe: RecipeConfig
    cancelled: Callable[[], bool]

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
        """Only what would be learnt from, and what was left out. Trains nothing, keeps nothing."""
        store = RepositoryStore.of(self.paths, self.root)
        info, model = asyncio.run(self._engine())
        with _cache(store) as cache:
            return self._prepare(info, model, ledger, cache)

    def execute(self) -> Outcome:
        """Train, judge, publish; raises TrainingCancelledError, RunBusyError, other TenonErrors.

        The adapter serves from then on if the gate says so; whatever happens before that leaves the
        store as it was.
        """
        store = RepositoryStore.of(self.paths, self.root)
        with RunLock(store), _cancelled_by_signals() as cancelled:
            info, model = asyncio.run(self._engine())
            machine, recipe = machine_for(self.config.recipe, model.path)
            run = RunStore(store).begin(msgspec.toml.encode(self.config))
            with EventLog(run.events) as events:
                with Ledger(run.samples) as ledger, _cache(store) as cache:
                    prepared = self._prepare(info, model, ledger, cache)
                job = _Job(run, store, prepared, info, model, recipe, cancelled)
                scale = self._train(job, machine, events)
                report = asyncio.run(self._judged(job, scale))
                events.tell({"kind": "verdict", "verdict": report.verdict})
            return self._publish(job, report)

    async def _engine(self) -> tuple[EngineInfo, InstalledModel]:
        """What serves, and its file, which is trained over."""
        self.listener.stage("asking the engine which model it serves")
        async with shared_engine(self.paths, lambda _entry: None) as engine:
            info = await engine.ask_info()
            model = ModelStore(self.paths).find(info.model)
            if model is None or model.sha256 != info.sha256:
                raise ModelError(
                    f"the engine serves {info.model}, which is no model of this machine's store; "
                    "choose one with `tenon models use`"
                )
            tokenizer = TextTokenizer.read(model.path)
            texts = _texts(self.root)
            tokenizer.check_against(texts, await engine.tokenize(texts))
        return info, model

    def _prepare(
        self, info: EngineInfo, model: InstalledModel, ledger: Ledger, cache: ExtractionCache
    ) -> Prepared:
        tokenizer = TextTokenizer.read(model.path)
        budget = budget_for(info, LATENCY_TARGET_MS)
        ends = [token for token in ENDS if token in tokenizer.ids and token in info.fim.stops]
        if not ends:
            raise ModelError(f"it is not known which token ends an answer of {info.model}")
        terms = Terms(info.fim, tokenizer, budget, tokenizer.ids[ends[0]])
        return prepare(
            self.root, terms, self.config.mix, ledger=ledger, cache=cache,
            seed=self.config.recipe.seed, told=self.listener.stage,
        )  # fmt: skip

    def _train(self, job: _Job, machine: Machine, events: EventLog) -> float:
        """Leave a candidate in the run's folder; returns the scale that suits it best."""
        self.listener.stage(f"loading {job.model.name}")
        if machine.threads:
            torch.set_num_threads(machine.threads)
        base = load_base(job.model.path, machine.precision, machine.device)
        material = job.prepared.material()
        adapted = with_adapter(base, job.recipe, steps=steps_of(material.pass_size, job.recipe))
        trainee = Trainee(adapted, compiled=machine.compiled, kept=machine.kept)

        def report(event: TrainingEvent) -> None:
            events.tell({"kind": "step", **asdict(event)})
            self.listener.event(event)

        self.listener.stage("training")
        job.run.checkpoints.mkdir(parents=True, exist_ok=True)
        checkpoint = job.run.checkpoints / "checkpoint.pt"
        train(trainee, material, job.recipe, Watcher(report, job.cancelled, checkpoint))
        self.listener.stage("choosing the adapter's scale")
        losses = losses_at(SCALES, trainee, material, job.recipe)
        job.run.candidate.mkdir(parents=True, exist_ok=True)
        adapted.save_pretrained(job.run.candidate / PEFT)
        export_lora(adapted, job.model.path, job.candidate)
        checkpoint.unlink(missing_ok=True)
        return min(losses, key=losses.__getitem__)

    async def _judged(self, job: _Job, scale: float) -> GateReport:
        """What the engine says of the candidate; raises TrainingCancelledError."""
        gc.collect()
        self.listener.stage("judging")
        active = AdapterRegistry(job.store).active(_identity(self.paths, job.info))
        trial = Trial(
            newer=job.prepared.newer,
            general=job.prepared.general,
            candidate=job.candidate,
            budget=job.prepared.dataset.budget,
            current=(active.adapter.path, active.scale) if active else None,
            scales=(scale,),
            limits=self.limits,
            within=TimeBudget(self.gate_seconds or None),
        )
        async with shared_engine(self.paths, lambda _entry: None) as engine:
            await _serves(engine, job.model)
            judging = asyncio.create_task(judge(engine, trial, self.listener.judged))
            while not judging.done():
                await asyncio.wait([judging], timeout=0.2)
                if job.cancelled() and not judging.done():
                    judging.cancel()
                    await asyncio.gather(judging, return_exceptions=True)
                    raise TrainingCancelledError("training was cancelled")
            return judging.result()

    def _publish(self, job: _Job, report: GateReport) -> Outcome:
        (job.run.candidate / GATE).write_bytes(msgspec.json.format(msgspec.json.encode(report)))
        scale = report.sweep.scale if report.sweep else 1.0
        facts = AdapterFacts(
            repository=job.store.name,
            commit=job.prepared.holdout.commit or job.prepared.commit,
            base=_identity(self.paths, job.info),
            base_name=job.model.name,
            fim_format=job.info.fim.name,
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


async def _serves(engine: HttpEngine, model: InstalledModel) -> None:
    """Raises ModelError if somebody switched the engine's model while it was trained over."""
    now = await engine.ask_info()
    if now.sha256 != model.sha256:
        raise ModelError(
            f"the engine serves {now.model} by now, and the adapter was trained over {model.name}; "
            "switch back and run `tenon train` again"
        )


def _identity(paths: StorePaths, info: EngineInfo) -> str:
    return base_identity(ModelStore(paths), info.model, info.sha256)


def _texts(root: Path) -> list[str]:
    """Some of the repository's own text, to compare tokenizers on."""
    found: list[str] = []
    for path in sorted(root.rglob("*.*"))[:2_000]:
        if len(found) < CHECKED_TEXTS and path.suffix in {".py", ".md", ".ts", ".go", ".rs", ".c"}:
            found.append(path.read_text(encoding="utf-8", errors="ignore")[:4_000])
    return found or ["def main() -> None:\n    pass\n"]


@contextmanager
def _cache(store: RepositoryStore) -> Iterator[ExtractionCache]:
    store.ensure()
    with ExtractionCache(store.cache / "outlines.sqlite") as cache:
        yield cache


@contextmanager
def _cancelled_by_signals() -> Iterator[Callable[[], bool]]:
    """Whether SIGINT or SIGTERM came; a second SIGINT is Python's own KeyboardInterrupt."""
    asked: list[int] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        asked.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {it: signal.signal(it, ask) for it in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
