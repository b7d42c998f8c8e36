"""``python -m tests.benchmarks.retrieval FOLDER``: does cross-file context hold what comes next?

FOLDER has time-split repositories (``*.json.xz``: ``train`` and ``head_files`` as path -> text,
``eval`` as spans of the latter). Single-line holes are asked as serving would ask them: with
``--tune``, holes cut at random from ``train``; without, the newer code's own. Reported are, for
each budget, how often the true line stands in the snippets, and how often all of its identifiers
stand in the snippets or the prompt's window; how long a query takes; and how often a line more in
the document changes the snippets, which costs the prompt's KV cache.

Tokens are guessed from characters, so that this needs no model.
"""

import argparse
import json
import lzma
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from rich.console import Console
from rich.table import Table

from lsp_server.prompt.assemble import Source
from lsp_server.prompt.identifiers import IDENTIFIER
from lsp_server.prompt.snippets import candidates_for, fit
from lsp_server.prompt.window import Budget, window
from lsp_server.store.files import RepositoryFile, language_of
from lsp_server.store.index import RepositoryIndex

BUDGETS = (256, 384, 768)
PROMPT = Budget(prefix=640, suffix=160, output=96)
CHARACTERS_PER_TOKEN = 3.3
HOLES, TYPED_PLACES, TYPED_LINES = 240, 10, 20


@dataclass(frozen=True, slots=True)
class Hole:
    """A document without the rest of a line, and that line."""

    source: Source
    line: str


@dataclass(slots=True)
class Rates:
    """What was found for each hole, by budget; milliseconds of each query; changes per line."""

    lines: dict[int, list[bool]] = field(default_factory=lambda: {b: [] for b in BUDGETS})
    names: dict[int, list[bool]] = field(default_factory=lambda: {b: [] for b in BUDGETS})
    times: list[float] = field(default_factory=list)
    changes: list[bool] = field(default_factory=list)


def count(lines: Sequence[str]) -> list[int]:
    return [max(1, round(len(line) / CHARACTERS_PER_TOKEN)) for line in lines]


def hole(path: str, text: str, start: int, end: int) -> Hole:
    begin, stop = text.rfind("\n", 0, start) + 1, text.find("\n", end)
    line = text[begin : stop if stop >= 0 else None]
    return Hole(Source(text[:start], text[end:], path, "repository"), line.strip())


def random_holes(files: dict[str, str], random: Random) -> Iterator[Hole]:
    """Single-line holes, whole or from inside a line, every line of a tree as likely as another."""
    lines = []
    for path, text in sorted(files.items()):
        position = 0
        for line in text.split("\n"):
            code = line.lstrip()
            if len(code) > 7 and not code.startswith("#"):
                lines.append((path, position + len(line) - len(code), position + len(line)))
            position += len(line) + 1
    for path, start, end in random.sample(lines, min(HOLES, len(lines))):
        begin = start if random.random() < 0.5 else random.randrange(start + 1, end - 1)
        yield hole(path, files[path], begin, end)


def look(found: Rates, asked: Hole, index: RepositoryIndex) -> None:
    source = asked.source
    cut = window(source.before, source.after, PROMPT, count)
    started = time.perf_counter()
    candidates = candidates_for(source, index, cut)
    found.times.append((time.perf_counter() - started) * 1000)
    wanted = set(IDENTIFIER.findall(asked.line))
    for budget in BUDGETS:
        text = "\n".join(snippet.text for snippet in fit(candidates, budget, count))
        found.lines[budget].append(asked.line in {line.strip() for line in text.split("\n")})
        known = IDENTIFIER.findall(f"{text}\n{cut.prefix}\n{cut.suffix}")
        found.names[budget].append(wanted <= set(known))


def type_on(found: Rates, asked: Hole, index: RepositoryIndex) -> None:
    """Type the lines below a hole again, one after the other."""
    lines = asked.source.after.split("\n")[1:]
    before, last = asked.source.before, None
    for number in range(min(TYPED_LINES, len(lines))):
        source = Source(before + "\n", "\n" + "\n".join(lines[TYPED_LINES:]), asked.source.path)
        cut = window(source.before, source.after, PROMPT, count)
        snippets = fit(candidates_for(source, index, cut), 384, count)
        if last is not None:
            found.changes.append(snippets != last)
        last, before = snippets, f"{before}\n{lines[number]}"


def measure(folder: Path, *, tune: bool, every: int) -> Rates:
    found = Rates()
    for archive in sorted(folder.glob("*.json.xz")):
        data = json.loads(lzma.decompress(archive.read_bytes()))
        files = data["train" if tune else "head_files"]
        index = RepositoryIndex.of_files(
            RepositoryFile(path, language_of(path), text, "", 0.0) for path, text in files.items()
        )
        spans = (span for span in data["eval"] if span["kind"] != "body")
        holes = list(
            random_holes(files, Random(1))
            if tune
            else (hole(s["path"], files[s["path"]], s["start"], s["end"]) for s in spans)
        )[::every]
        for asked in holes:
            look(found, asked, index)
        for asked in holes[:: max(1, len(holes) // TYPED_PLACES)]:
            type_on(found, asked, index)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tune", action="store_true", help="holes of the older trees")
    parser.add_argument("--every", type=int, default=1, help="ask every so many'th hole")
    arguments = parser.parse_args()
    found = measure(arguments.folder, tune=arguments.tune, every=arguments.every)
    table = Table("snippets, tokens", "true line in them, %", "its names in the prompt, %")
    for budget in BUDGETS:
        shares = (100 * statistics.fmean(got[budget]) for got in (found.lines, found.names))
        table.add_row(str(budget), *(f"{share:.1f}" for share in shares))
    console = Console()
    console.print(table)
    median, *_, late = statistics.quantiles(found.times, n=20)[9:]
    console.print(
        f"{len(found.times)} holes; query p50 {median:.1f} ms, p95 {late:.1f} ms "
        f"(load {os.getloadavg()[0]:.1f}); a typed line changes the snippets in "
        f"{100 * statistics.fmean(found.changes):.0f} % of cases"
    )


if __name__ == "__main__":
    main()
