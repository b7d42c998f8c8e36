"""``make bench-quant``: what the starter's layers cost in each of the types that they can have.

The starter requantised to every type, in turns: one round loads each file, reads a prompt of 512
tokens in the engine's chunks and writes 32 tokens behind it. This decides the ``served_type`` of
the starter in ``lsp_server/store/catalogue.toml``, together with what each type loses.

The best is put together from the best decode at every position: whatever else runs on the machine
makes single decodes slower, never faster. Ctrl+C ends the rounds early.
"""

import contextlib
import logging
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from lsp_server.cores import physical_cores
from lsp_server.engine.llama import Backend, Context, Model
from lsp_server.engine.runtime import INTERACTIVE_CHUNK
from lsp_server.store.merging import TYPES, file_type, merge, number
from tests.starter import plain_file

PROMPT, ANSWER = 512, 32
ROUNDS = 15
SOURCE = Path(__file__).parent.parent.parent / "lsp_server" / "session.py"


@dataclass
class Candidate:
    """One type: its file, how long that took to make (s), and every round's decodes (s)."""

    kind: str
    path: Path
    made: float
    load: list[float] = field(default_factory=list)
    prefill: list[list[float]] = field(default_factory=list)
    decode: list[list[float]] = field(default_factory=list)


def make(folder: Path, kind: str) -> Candidate:
    path = folder / f"{kind}.gguf"
    started = time.perf_counter()
    merge(plain_file(), None, path, kind, values={"general.file_type": number(file_type(kind))})
    return Candidate(kind, path, time.perf_counter() - started)


def measure(backend: Backend, candidate: Candidate, prompt: str) -> None:
    """One round."""
    started = time.perf_counter()
    model = Model.load(backend, candidate.path)
    context = Context(
        model, tokens=1024, sequences=1, chunk=INTERACTIVE_CHUNK, threads=physical_cores()
    )
    candidate.load.append(time.perf_counter() - started)
    tokens = model.vocabulary.tokenize(prompt)[:PROMPT]
    context.decode(tokens[:2], position=0, sequence=0)  # pays for page faults and the graph
    context.truncate(0, 0)

    def seconds(part: list[int], position: int) -> float:
        begun = time.perf_counter()
        context.decode(part, position=position, sequence=0)
        return time.perf_counter() - begun

    starts = range(0, PROMPT, INTERACTIVE_CHUNK)
    candidate.prefill.append(
        [seconds(tokens[start : start + INTERACTIVE_CHUNK], start) for start in starts]
    )
    candidate.decode.append([seconds([tokens[step]], PROMPT + step) for step in range(ANSWER)])
    context.close()
    model.close()


def best(rounds: list[list[float]]) -> float:
    """Seconds of a round in which nothing disturbed."""
    return sum(min(at) for at in zip(*rounds, strict=True))


def median(rounds: list[list[float]]) -> float:
    return statistics.median(sum(entry) for entry in rounds)


def table(candidates: list[Candidate], *, repacked: bool) -> Table:
    """Best and median of the rounds."""
    title = (
        f"{PROMPT} tokens read, {ANSWER} written; {len(candidates[0].load)} rounds, "
        f"{physical_cores()} threads, weights {'repacked' if repacked else 'not repacked'}"
    )
    result = Table(title=title)
    headings = ("type", "MB", "made s", "load ms", "read tok/s", "median", "write tok/s", "median")
    for heading in headings:
        result.add_column(heading, justify="right")
    for entry in candidates:
        result.add_row(
            entry.kind,
            f"{entry.path.stat().st_size / 1e6:.1f}",
            f"{entry.made:.1f}",
            f"{1000 * min(entry.load):.0f}",
            f"{PROMPT / best(entry.prefill):.0f}",
            f"{PROMPT / median(entry.prefill):.0f}",
            f"{ANSWER / best(entry.decode):.1f}",
            f"{ANSWER / median(entry.decode):.1f}",
        )
    return result


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    backend = Backend(logging.getLogger("llama"))
    prompt = SOURCE.read_text("utf-8")
    with tempfile.TemporaryDirectory() as folder:
        candidates = [
            make(Path(folder), kind) for kind in track(TYPES, "requantising", transient=True)
        ]
        with contextlib.suppress(KeyboardInterrupt):
            for _ in track(range(rounds), "measuring", transient=True):
                for candidate in candidates:
                    measure(backend, candidate, prompt)
        repacked = backend.repacking_is_safe
        Console(width=120).print(table(candidates, repacked=repacked))


if __name__ == "__main__":
    main()
