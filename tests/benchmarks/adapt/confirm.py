"""Ask the engine that serves what the arms came to in torch, and how far the two agree.

    python -m tests.benchmarks.adapt.confirm BASE.gguf OUT.jsonl KEPT ENGINE.jsonl

OUT.jsonl and the folder KEPT are of ``python -m tests.benchmarks.adapt --kept KEPT``. Places of
every repository, evenly spread, are asked of the base and of its adapter by the gate's own code:
the truth's likelihood, and greedily for an answer. With --only, one repository, so that several
processes can share a machine; ``--report`` adds up what any number of them wrote.
"""

import argparse
import asyncio
import json
import math
import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lsp_server.engine.launcher import EngineOptions
from lsp_server.store.index import RepositoryIndex
from lsp_server.store.paths import StorePaths
from training.base.tokenizer import TextTokenizer
from training.data.terms import Terms
from training.evaluation.engines import private_engine
from training.evaluation.examples import FimExample
from training.evaluation.metrics import Answer
from training.gate.scoring import AdapterAt, generate, loaded_arms, score

from .lab import BASE, BUDGET, END, FIM, at_scale
from .splits import Split, read_split

ADAPTER = "adapter"
SIDES = ("torch", "engine")


@dataclass(frozen=True, slots=True)
class Judged:
    """One place by one side: nats of the truth and its end, and whether the answer is the truth."""

    nll: float
    exact: bool


Place = dict[str, dict[str, Judged]]
"""By side (torch, engine) and by arm (base, adapter)."""


def in_torch(out: Path, target: str, arm: str) -> dict[str, list[Judged]]:
    """What the lab wrote of a repository's places with context, by arm."""
    found: dict[str, list[Judged]] = {}
    for row in map(json.loads, out.read_text(encoding="utf-8").splitlines()):
        if row["target"] == target and row["context"] and row["adapter"] in {"", target}:
            judged = [Judged(place[0], bool(place[2])) for place in row["places"]]
            found[{BASE: BASE, arm: ADAPTER}.get(row["arm"], row["arm"])] = judged
    return {BASE: found[BASE], ADAPTER: found[ADAPTER]}


def asked(split: Split, numbers: Sequence[int], terms: Terms) -> list[FimExample]:
    """These places as the gate asks, each with its number as its id."""
    index = RepositoryIndex.of_files(split.newer)
    return [_example(number, split, terms, index) for number in numbers]


def _example(number: int, split: Split, terms: Terms, index: RepositoryIndex) -> FimExample:
    place = split.places[number]
    source = terms.with_snippets(place.source, index)
    return FimExample(
        str(number), source.before, source.after, place.middle, path=source.path,
        repository=source.repository, context=source.snippets,
    )  # fmt: skip


async def in_engine(
    base: Path, adapter: AdapterAt, holes: Sequence[FimExample], terms: Terms, home: Path
) -> Iterator[tuple[FimExample, dict[str, Judged]]]:
    """Both arms' likelihoods and answers at these places, as background work."""
    async with (
        private_engine(base, FIM.name, StorePaths(home), EngineOptions()) as engine,
        loaded_arms(engine, [adapter]) as arms,
    ):
        scores = await score(engine, [holes], arms, BUDGET, end=terms.end)
        answers = {it.example: it.answers for it in await generate(engine, [holes], arms, BUDGET)}
    return (
        (it.example, {
            arm: Judged(nats, _right(answers[it.example][arm], it.example.middle))
            for arm, nats in it.nll.items()
        })
        for it in scores
    )  # fmt: skip


def _right(answer: Answer, middle: str) -> bool:
    return bool(answer.stopped) and answer.text == middle


def report(places: list[Place]) -> Table:
    """Means by each side, and how far the two agree place by place."""
    table = Table("", "torch", "engine", "agreement", title=f"{len(places)} places")
    for arm in (BASE, ADAPTER):
        exact = [[it[side][arm].exact for it in places] for side in SIDES]
        nats = [[it[side][arm].nll for it in places] for side in SIDES]
        same = sum(one == other for one, other in zip(*exact, strict=True))
        table.add_row(
            f"{arm}: exact, %",
            *(f"{100 * statistics.fmean(it):.1f}" for it in exact),
            f"{100 * same / len(places):.1f} % of places",
        )
        table.add_row(
            f"{arm}: nats a place",
            *(f"{statistics.fmean(it):.3f}" for it in nats),
            f"r = {statistics.correlation(*nats):.3f}",
        )
    gains = [[it[side][ADAPTER].nll - it[side][BASE].nll for it in places] for side in SIDES]
    signs = sum((one < 0) == (other < 0) for one, other in zip(*gains, strict=True))
    table.add_row(
        "gain: nats a place",
        *(f"{statistics.fmean(side):+.3f} ± {_error(side):.3f}" for side in gains),
        f"r = {statistics.correlation(*gains):.3f}; same sign: {100 * signs / len(places):.1f} %",
    )
    return table


def _error(values: Sequence[float]) -> float:
    return statistics.stdev(values) / math.sqrt(len(values))


def main(argv: list[str]) -> int:
    """Ask, or with ``--report`` add up."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("base", type=Path, help="the starter's GGUF")
    parser.add_argument("out", type=Path, help="what the lab wrote")
    parser.add_argument("kept", type=Path, help="the adapters that it kept")
    parser.add_argument("engine", type=Path, nargs="+", help="where the engine's side is kept")
    parser.add_argument("--arm", default="default")
    parser.add_argument("--scale", type=float, default=0.5)
    parser.add_argument("--places", type=int, default=72, help="of each repository")
    parser.add_argument("--only", default="", help="one repository")
    parser.add_argument("--bench", type=Path, default=Path("../shared/bench"))
    parser.add_argument("--home", type=Path, default=Path("confirm-home").absolute())
    parser.add_argument("--report", action="store_true")
    options = parser.parse_args(argv)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if not options.report:
        asyncio.run(ask(options))
    rows = (json.loads(row) for it in options.engine for row in it.read_text("utf-8").splitlines())
    places = [
        {side: {arm: Judged(*row[side][arm]) for arm in (BASE, ADAPTER)} for side in SIDES}
        for row in rows
    ]
    Console(width=110).print(report(places))
    return 0


async def ask(options: argparse.Namespace) -> None:
    """Ask about one repository after the other, and write a line per place."""
    tokenizer = TextTokenizer.read(options.base)
    terms = Terms(FIM, tokenizer, BUDGET, tokenizer.ids[END])
    for path in sorted((options.bench / "timesplit").glob("*.json.xz")):
        split = read_split(path)
        if options.only not in {"", split.name}:
            continue
        torch = in_torch(options.out, split.name, at_scale(options.arm, options.scale))
        numbers = range(0, len(split.places), -(-len(split.places) // options.places))
        file = (options.kept / f"{options.arm}-{split.name}.gguf").absolute()
        adapter = AdapterAt(ADAPTER, file, options.scale)
        spans = asked(split, numbers, terms)
        found = await in_engine(options.base, adapter, spans, terms, options.home)
        with options.engine[0].open("a", encoding="utf-8") as written:
            for span, engine in found:
                number = int(span.example.id)
                row = {
                    "repository": split.name, "place": number, "kind": span.kind,
                    "torch": {arm: _pair(torch[arm][number]) for arm in (BASE, ADAPTER)},
                    "engine": {arm: _pair(engine[arm]) for arm in (BASE, ADAPTER)},
                }  # fmt: skip
                written.write(json.dumps(row) + "\n")


def _pair(judged: Judged) -> tuple[float, bool]:
    return judged.nll, judged.exact


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
