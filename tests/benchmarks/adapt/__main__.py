"""Train every arm on every repository, and ask each adapter for the newer code of all of them.

    python -m tests.benchmarks.adapt BASE.gguf OUT.jsonl [ARM ...]

One line of OUT is one adapter on one repository with or without cross-file context: per place its
loss and whether greedy decoding would have been right.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from lsp_server.prompt.formats import FORMATS
from lsp_server.prompt.window import Budget
from training.base.loading import load_base
from training.data.dataset import Codebase, Dataset
from training.data.general import replayed
from training.data.samples import Sample
from training.recipe.recipe import Material, TrainingEvent, Watcher, train
from training.recipe.trainee import Trainee, reset, with_adapter

from .arms import Arm, read_arms
from .infilling import humaneval
from .measure import Scored, score
from .splits import FOLDER, Split, asked, codebase, read_split
from .vocabulary import tokenizer_of

FIM = FORMATS["tenon-starter"]
BUDGET = Budget(prefix=640, suffix=160, output=96, snippets=384)
"""What serving grants at some 600 tokens a second."""
END = "<|endoftext|>"
UNLEARNED = ("<issue_comment>", "<issue_start>", "<issue_closed>", "<repo_name>", "<file_sep>")
WORKERS = max(1, (os.cpu_count() or 2) - 1)


@dataclass(frozen=True, slots=True)
class Bench:
    """What all arms share."""

    base: Path
    splits: list[Split]
    codebases: dict[str, Codebase]
    general: Codebase
    questions: dict[tuple[str, bool], list[Sample]]
    tokenizer: Any
    out: Path

    def write(self, **entry: Any) -> None:
        with self.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


_DATASET: Dataset | None = None


def _sample(number: int) -> Sample:
    assert _DATASET is not None
    return _DATASET.sample(number)


def pregenerated(dataset: Dataset, count: int) -> Iterator[Sample]:
    """``dataset``'s first samples, made by forked processes."""
    global _DATASET
    _DATASET = dataset
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("fork")) as pool:
        yield from pool.map(_sample, range(count), chunksize=16)


def run_arm(bench: Bench, name: str, arm: Arm, trainee: Trainee, *, others: bool) -> None:
    """Train ``arm`` on each repository, and write how each adapter scores."""
    config = arm.recipe_config(1)
    chosen = bench.splits[: arm.repositories or None]
    for number, split in enumerate(chosen):
        reset(trainee.model, seed=config.seed + number)
        if not arm.warm:
            files = bench.codebases[split.name]
            _learn(bench, name, arm, trainee, files)
        else:
            for other in bench.splits:
                if other is not split:
                    _learn(bench, name, arm, trainee, bench.codebases[other.name])
            _learn(bench, name, arm, trainee, bench.codebases[split.name])
        targets = [split, bench.splits[(number + 1) % len(bench.splits)]] if others else [split]
        for target in targets:
            for context in (True, False) if others else (True,):
                _ask(bench, name, trainee, split.name, target.name, context=context)
        if others:
            _ask(bench, name, trainee, split.name, "humaneval", context=False)


def _learn(bench: Bench, name: str, arm: Arm, trainee: Trainee, files: Codebase) -> None:
    if arm.share < 1:
        kept = sorted(files.files, key=lambda it: it.curated.file.path)[
            : max(1, round(arm.share * len(files.files)))
        ]
        files = replace_files(files, kept)
    dataset = Dataset(
        files, bench.general, arm.sample_mix(), FIM, BUDGET, bench.tokenizer,
        bench.tokenizer.ids[END],
    )  # fmt: skip
    passes = arm.recipe_config(1).passes
    count = round(passes * dataset.pass_size) + 64
    started = time.monotonic()
    samples = pregenerated(dataset, count)
    made = time.monotonic()
    events: list[TrainingEvent] = []
    unlearned = frozenset(bench.tokenizer.ids[it] for it in UNLEARNED)
    material = Material(lambda _start, _step: samples, dataset.pass_size, unlearned=unlearned)
    train(trainee, material, arm.recipe_config(1), Watcher(events.append))
    last = events[-1]
    print(
        f"  {name} on {files.name}: {count} samples in {made - started:.0f} s, {last.steps} steps "
        f"in {time.monotonic() - made:.0f} s, {last.tokens_per_second:.0f} tok/s, "
        f"loss {last.loss:.3f}", flush=True,
    )  # fmt: skip


def replace_files(files: Codebase, kept: list[Any]) -> Codebase:
    return Codebase(files.name, kept, files.index)


def _ask(
    bench: Bench, arm: str, trainee: Trainee, adapter: str, target: str, *, context: bool
) -> None:
    questions = bench.questions[target, context]
    results = score(trainee, questions, bench.tokenizer)
    bench.write(
        arm=arm, adapter=adapter, target=target, context=context,
        places=[[round(it.nll, 4), it.tokens, int(it.exact), int(it.first_line)] for it in results],
    )  # fmt: skip
    print(f"    {adapter} on {target}{' +ctx' if context else ''}: {summary(results)}", flush=True)


def summary(results: list[Scored]) -> str:
    count = len(results)
    nll = sum(it.nll for it in results) / max(1, sum(it.tokens for it in results))
    exact = 100 * sum(it.exact for it in results) / count
    first = 100 * sum(it.first_line for it in results) / count
    return f"{exact:.1f} % exact, {first:.1f} % first line, {nll:.4f} nats ({count})"


class Lab:
    """Trains arm after arm over one base; a model is made anew only where an arm's shape asks it."""

    def __init__(self, bench: Bench, device: str, *, compiled: bool = False) -> None:
        self._bench, self._device, self._compiled = bench, device, compiled
        self._trainee: Trainee | None = None
        self._shape: tuple[Any, ...] = ()

    def run(self, name: str, arm: Arm) -> None:
        """Train and score one arm."""
        config = arm.recipe_config(1)
        shape = (arm.base, config.rank, config.modules, config.alpha, config.dropout, config.method)
        if self._trainee is None or shape != self._shape:
            model = load_base(self._bench.base, arm.base, self._device)
            trainee = Trainee(with_adapter(model, config), compiled=self._compiled)
            if self._trainee is None:
                self._baseline(trainee)
            self._trainee, self._shape = trainee, shape
        run_arm(self._bench, name, arm, self._trainee, others=arm.controls)

    def _baseline(self, trainee: Trainee) -> None:
        """What the base does: an adapter that was never trained changes nothing."""
        for target, context in self._bench.questions:
            _ask(self._bench, "base", trainee, "", target, context=context)


def prepare(base: Path, out: Path, folder: Path, places: int = 0) -> Bench:
    """Read everything that all arms share."""
    tokenizer = tokenizer_of(base)
    splits = [read_split(path) for path in sorted(folder.glob("*.json.xz"))]
    if places:
        splits = [replace(it, places=it.places[:: len(it.places) // places]) for it in splits]
    end = tokenizer.ids[END]
    codebases = {split.name: codebase(split.name, split.training) for split in splits}
    keys = [(split, context) for context in (True, False) for split in splits]
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("fork")) as pool:
        waiting = {
            (split.name, context): pool.submit(
                asked, split, FIM, BUDGET, tokenizer, end, context=context
            )
            for split, context in keys
        }
        questions = {key: future.result() for key, future in waiting.items()}
    questions["humaneval", False] = humaneval(FIM, BUDGET, tokenizer, end)
    return Bench(base, splits, codebases, replayed(), questions, tokenizer, out)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("arms", nargs="*")
    parser.add_argument("--splits", type=Path, default=FOLDER)
    parser.add_argument("--places", type=int, default=0, help="only so many per repository")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args(argv)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    started = time.monotonic()
    lab = Lab(prepare(options.base, options.out, options.splits, options.places), options.device)
    for name, arm in read_arms().items():
        if not options.arms or name in options.arms:
            print(f"{name} at {time.monotonic() - started:.0f} s", flush=True)
            lab.run(name, arm)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
