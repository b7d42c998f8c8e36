"""``python -m tests.benchmarks.guessing FOLDER``: what guessed tokens buy on real code.

FOLDER is that of :mod:`tests.benchmarks.retrieval`. Every hole is answered by the starter with
snippets, with and without guesses, in turns; the better of two rounds counts. With ``--threads 1``
times are the computing thread's CPU time, which other work on the machine hardly changes.
"""

import argparse
import json
import logging
import lzma
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lsp_server.engine.generation import Delta, Finished, Generation, Lane, Work
from lsp_server.engine.llama import Backend, Context, Model
from lsp_server.engine.sampling import Sampling
from lsp_server.prompt.assemble import Source, assemble
from lsp_server.prompt.formats import FORMATS, Special
from lsp_server.prompt.pieces import PieceIndex
from lsp_server.prompt.snippets import snippets_for
from lsp_server.prompt.window import Budget, window
from lsp_server.store.files import RepositoryFile, language_of
from lsp_server.store.index import RepositoryIndex
from tests.starter import starter_file

BUDGET = Budget(prefix=512, suffix=160, output=48, snippets=256)
ROUNDS = 1


@dataclass(slots=True)
class Arm:
    """One side: a context of its own, and what it cost by the kind of hole."""

    lane: Lane
    tokens: dict[str, int] = field(default_factory=dict)
    decodes: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def holes(folder: Path, every: int, model: Model) -> Iterator[tuple[str, list[int]]]:
    """Kind and prompt of each hole."""
    fim = FORMATS[model.metadata("tenon.fim_format") or ""]
    vocabulary = model.vocabulary

    def count(lines: Sequence[str]) -> list[int]:
        return [len(vocabulary.tokenize(line)) for line in lines]

    for archive in sorted(folder.glob("*.json.xz")):
        data = json.loads(lzma.decompress(archive.read_bytes()))
        files = data["head_files"]
        index = RepositoryIndex.of_files(
            RepositoryFile(path, language_of(path), text, "", 0.0) for path, text in files.items()
        )
        for span in data["eval"][::every]:
            text = files[span["path"]]
            source = Source(text[: span["start"]], text[span["end"] :], span["path"], "repository")
            shown = window(source.before, source.after, BUDGET, count)
            found = snippets_for(source, index, BUDGET.snippets, count, shown=shown)
            prompt = assemble(replace(source, snippets=found), fim, BUDGET, count)
            tokens: list[int] = []
            for entry in prompt.segments:
                if isinstance(entry, Special):
                    tokens.append(vocabulary.texts[entry.token])
                else:
                    tokens += vocabulary.tokenize(entry.text)
            yield span["kind"], tokens


def answer(arm: Arm, model: Model, index: PieceIndex, kind: str, prompt: list[int]) -> None:
    """Generate greedily; noted is the better one of the rounds that found the prompt read."""
    clock = time.thread_time if arm.lane.context.threads == 1 else time.perf_counter
    stops = () if kind == "body" else ("\n",)
    best, steps, written = float("inf"), 0, 0
    for number in range(1 + ROUNDS):
        events: list[object] = []
        work = Work(prompt, BUDGET.output, Sampling(0.0), stops=stops, cache_key="a", logprobs=0)
        started = clock()
        steps = sum(
            1 for _ in Generation(work, model.vocabulary, index, events.append).run(arm.lane)
        )
        if number:
            best = min(best, clock() - started)
        said = [event for event in events if isinstance(event, (Delta, Finished))]
        written = sum(len(event.scores) for event in said)
    for noted, value in ((arm.tokens, written), (arm.decodes, steps), (arm.seconds, best)):
        noted[kind] = noted.get(kind, 0) + value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=20, help="ask every so many'th hole")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    model = Model.load(Backend(logging.getLogger("llama")), starter_file())
    index, arms = PieceIndex(model.vocabulary.pieces), []
    for guesses in (False, True):
        context = Context(model, tokens=2048, sequences=1, chunk=64, threads=arguments.threads)
        context.cuts_freely = guesses
        arms.append(Arm(Lane(context)))
    for kind, prompt in holes(arguments.folder, arguments.every, model):
        for arm in arms:
            answer(arm, model, index, kind, prompt)
    table = Table("holes of", "tokens", "decodes", "with guesses", "ms a token", "with", "faster")
    plain, guessing = arms
    for kind in sorted(plain.tokens):
        own, other = (1000 * arm.seconds[kind] / max(arm.tokens[kind], 1) for arm in arms)
        table.add_row(
            kind,
            str(plain.tokens[kind]),
            str(plain.decodes[kind]),
            str(guessing.decodes[kind]),
            f"{own:.1f}",
            f"{other:.1f}",
            f"{own / other:.2f}x",
        )
    console = Console()
    console.print(table)
    console.print(f"{arguments.threads} threads, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
