"""Trains arm after arm over one base, and asks every adapter for newer code."""

import json
import pickle
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from lsp_server.errors import SettingsError
from lsp_server.prompt.formats import FORMATS
from lsp_server.prompt.window import Budget
from training.adapter.export import export_lora
from training.base.loading import load_base
from training.base.tokenizer import TextTokenizer
from training.data import general
from training.data.dataset import Codebase, Dataset
from training.data.samples import Sample
from training.data.terms import Terms
from training.prepared import unlearned
from training.recipe.machine import CPU_PROMPT
from training.recipe.recipe import Material, TrainingEvent, Watcher, steps_of, train
from training.recipe.trainee import Trainee, reset, with_adapter

from . import infilling
from .arms import Arm
from .making import WORKERS, Made
from .measure import Scored, score
from .splits import Split, asked, codebase, read_split

FIM = FORMATS["tenon-starter"]
BUDGET = Budget(prefix=640, suffix=160, output=96, snippets=384)
"""What serving grants at some 1,000 tokens a second."""
END = "<|endoftext|>"
BASE = "base"


@dataclass(frozen=True, slots=True)
class Bench:
    """What all arms share. ``questions`` are by (repository, whether with cross-file context)."""

    base: Path
    splits: list[Split]
    codebases: dict[str, Codebase]
    general: Codebase | None
    questions: dict[tuple[str, bool], list[Sample]]
    terms: Terms

    def stranger(self, split: Split) -> Split:
        """The repository whose code an adapter of ``split`` is asked for as a control."""
        return self.splits[(self.splits.index(split) + 1) % len(self.splits)]

    @classmethod
    def read(
        cls, base: Path, folder: Path, most: int = 0, only: str = "", laid_out: Path | None = None
    ) -> "Bench":
        """Read all data, lay out the prompts; ``most`` places of each repository (0: all).

        With ``only``, of that repository and its control. Prompts are kept in the file ``laid_out``
        and read from it, so that several processes need not each lay them out.
        """
        tokenizer = TextTokenizer.read(base)
        terms = Terms(FIM, tokenizer, BUDGET, tokenizer.ids[END])
        paths = sorted((folder / "timesplit").glob("*.json.xz"))
        splits = [read_split(path, most) for path in paths]
        number = next((n for n, it in enumerate(splits) if it.name == only), None)
        if only and number is None:
            raise SettingsError(f"there is no {only} among {[it.name for it in splits]}")
        asking = splits if number is None else [splits[number], splits[(number + 1) % len(splits)]]
        if laid_out is not None and laid_out.exists():
            found = pickle.loads(laid_out.read_bytes())  # written below
            names = {split.name for split in asking} | {infilling.NAME}
            questions = {key: asked for key, asked in found.items() if key[0] in names}
        else:
            questions = _laid_out(asking, terms)
            questions[infilling.NAME, False] = infilling.questions(folder, terms)
            if laid_out is not None:
                laid_out.write_bytes(pickle.dumps(questions))
        codebases = {split.name: codebase(split.name, split.training) for split in splits}
        return cls(base, splits, codebases, general.replayed(), questions, terms)


def _laid_out(splits: list[Split], terms: Terms) -> dict[tuple[str, bool], list[Sample]]:
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("fork")) as pool:
        waiting = {
            (split.name, context): pool.submit(asked, split, terms, context=context)
            for context in (True, False)
            for split in splits
        }
        return {key: future.result() for key, future in waiting.items()}


@dataclass(slots=True)
class Lab:
    """One model at a time; it is made anew only where an arm asks for another shape.

    Adapters of arms with ``controls`` are kept in the folder ``kept``, as llama.cpp serves them.
    """

    bench: Bench
    out: Path
    device: str
    only: str = ""
    kept: Path | None = None
    made: Made = field(default_factory=Made)
    started: float = field(default_factory=time.monotonic)
    _trainee: Trainee | None = None
    _shape: tuple[object, ...] = ()

    def run(self, name: str, arm: Arm) -> None:
        """Train ``arm`` on its repositories, and write how each adapter scores."""
        trainee = self._ready(arm)
        splits = self.bench.splits
        for number, split in enumerate(splits[: arm.repositories or None]):
            if self.only not in {"", split.name}:
                continue
            reset(trainee.model, seed=arm.recipe_config.seed + number)
            others = [it for it in splits if it is not split] if arm.warm else []
            for other in (*others, split):
                self._learn(name, arm, trainee, self.bench.codebases[other.name])
            for scale in arm.scales:
                with trainee.at(scale):
                    self._ask(at_scale(name, scale), trainee, split.name, (split.name, True))
            if arm.controls:
                self._control(name, arm, trainee, split)

    def _control(self, name: str, arm: Arm, trainee: Trainee, split: Split) -> None:
        """Ask an adapter what it must not be better at, and keep it."""
        if self.kept is not None:
            export_lora(trainee.model, self.bench.base, self.kept / f"{name}-{split.name}.gguf")
        stranger, scale = self.bench.stranger(split).name, arm.scales[-1]
        with trainee.at(scale):
            for question in (
                (split.name, False),
                (stranger, True),
                (stranger, False),
                (infilling.NAME, False),
            ):
                self._ask(at_scale(name, scale), trainee, split.name, question)

    def _ready(self, arm: Arm) -> Trainee:
        config = arm.recipe_config
        shape = (arm.base, config.rank, config.modules, config.alpha, config.dropout, config.method)
        if self._trainee is None or shape != self._shape:
            first = self._trainee is None
            base = load_base(self.bench.base, arm.base, self.device)
            self._trainee, self._shape = Trainee(with_adapter(base, config)), shape
            if first:  # an adapter that was never trained changes nothing
                known = self._known()
                for question in self.bench.questions:
                    if question not in known:
                        self._ask(BASE, self._trainee, "", question)
        return self._trainee

    def _known(self) -> set[tuple[str, bool]]:
        """What the base was asked by an earlier run that wrote to the same file."""
        if not self.out.exists():
            return set()
        rows = map(json.loads, self.out.read_text(encoding="utf-8").splitlines())
        return {(row["target"], row["context"]) for row in rows if row["arm"] == BASE}

    def _learn(self, name: str, arm: Arm, trainee: Trainee, files: Codebase) -> None:
        if arm.share < 1:
            files = replace_files(files, arm.share)
        config = arm.recipe_config
        terms = self.bench.terms.within(CPU_PROMPT) if arm.short else self.bench.terms
        dataset = Dataset(files, self.bench.general, arm.sample_mix, terms, config.seed)
        count = steps_of(dataset.pass_size, config) * config.batch
        events: list[TrainingEvent] = []
        drawn = files.name, arm.share, arm.short, repr(arm.sample_mix), config.seed
        material = Material(
            samples=lambda _start, _step: self.made.first(count, drawn, lambda: dataset),
            pass_size=dataset.pass_size,
            unlearned=frozenset(unlearned(dataset)),
        )
        began = time.monotonic()
        train(trainee, material, config, Watcher(events.append))
        last = events[-1]
        self._tell(
            f"{name} on {files.name}: {last.steps} steps in {time.monotonic() - began:.0f} s, "
            f"{last.tokens_per_second:,.0f} tokens/s, loss {last.loss:.3f}"
        )

    def _ask(self, arm: str, trainee: Trainee, adapter: str, question: tuple[str, bool]) -> None:
        target, context = question
        results = score(trainee, self.bench.questions[question], self.bench.terms.tokenizer)
        entry = {
            "arm": arm, "adapter": adapter, "target": target, "context": context,
            "places": [
                [round(it.nll, 4), it.tokens, int(it.exact), int(it.first_line), round(it.end, 4)]
                for it in results
            ],
        }  # fmt: skip
        with self.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        self._tell(f"  {target}{' +ctx' if context else ''}: {summary(results)}")

    def _tell(self, text: str) -> None:
        print(f"{time.monotonic() - self.started:5.0f} s  {text}", flush=True)


def at_scale(arm: str, scale: float) -> str:
    """What an arm is called in the results, as so much of itself."""
    return arm if scale == 1 else f"{arm} x {scale}"


def replace_files(files: Codebase, share: float) -> Codebase:
    """The first part of a codebase's files, by path."""
    kept = sorted(files.files, key=lambda it: it.curated.file.path)
    return Codebase(files.name, kept[: max(1, round(share * len(kept)))], files.index)


def summary(results: list[Scored]) -> str:
    count = len(results)
    nll = sum(it.nll for it in results) / max(1, sum(it.tokens for it in results))
    exact = 100 * sum(it.exact for it in results) / count
    first = 100 * sum(it.first_line for it in results) / count
    return f"{exact:.1f} % exact, {first:.1f} % first line, {nll:.4f} nats ({count})"
