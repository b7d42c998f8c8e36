"""``tenon demo``: real completions in real files, with the cost of each."""

import argparse
import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text

from ..completion.engine import CompletionEngine
from ..completion.provider import Completion, CompletionProvider, Query
from ..engine.launcher import EngineOptions
from ..engine.supervisor import EngineSupervisor
from ..errors import DocumentError
from ..prompt.assemble import Source
from ..store.paths import StorePaths
from .starter import bring_starter

PACKAGE = Path(__file__).parent.parent
LOADING_SECONDS = 180.0
CONTEXT_LINES = 5


@dataclass(frozen=True, slots=True)
class Stop:
    """A place to complete at: behind ``anchor`` in ``file``, as though the line ended there.

    ``typed`` is what the user goes on to type, for the second answer.
    """

    file: str
    anchor: str
    typed: str


TOUR = (
    Stop("store/paths.py", "def models(self) -> Path:\n        retu", "r"),
    Stop("engine/sequences.py", "        if left != right:\n            ", "r"),
    Stop("engine/sampling.py", "    peak = logits.", "m"),
    Stop("prompt/assemble.py", "    for snippet in ", "s"),
    Stop("engine/record.py", "import ", "m"),
)
"""Places in Tenon's own source."""


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """The demo takes no options."""


def run(_options: argparse.Namespace) -> int:
    """Show the tour; returns 1 if no place got an answer."""
    console = Console(highlight=False)
    answered = asyncio.run(show(console, StorePaths.default()))
    if not answered:
        console.print("[red]No completion came back.[/] `tenon status` tells why.")
        return 1
    console.print(next_steps(PACKAGE), soft_wrap=True)
    return 0


async def show(console: Console, paths: StorePaths) -> int:
    """Complete at every stop; returns how many got an answer."""
    with console.status("Preparing the starter model …") as shown:
        await bring_starter(paths, lambda entry: shown.update(f"Tenon is {entry.arriving} …"))
    supervisor = EngineSupervisor(EngineOptions(), paths, lambda _status: None)
    try:
        with console.status("Starting the engine …"):
            engine = await supervisor.wait_ready(LOADING_SECONDS)
            info = await engine.info()
        console.print(
            f"[bold]{info.model}[/] serves from this machine: reads {info.prefill_speed:.0f} and "
            f"writes {info.decode_speed:.0f} tokens a second.\n"
        )
        answered = 0
        provider = CompletionProvider()
        for stop in TOUR:
            source = source_at(stop)
            first = await _ask(provider, engine, stop, source)
            typed = Source(source.before + stop.typed, source.after, source.path)
            second = await _ask(provider, engine, stop, typed)
            console.print(card(stop, source, first, second))
            answered += bool(first.text)
    finally:
        await supervisor.aclose()
    return answered


def source_at(stop: Stop) -> Source:
    """The file around the stop, without the rest of its line: that is what the model writes."""
    text = (PACKAGE / stop.file).read_text("utf-8")
    start = text.find(stop.anchor)
    if start < 0:
        raise DocumentError(f"{stop.file} has no {stop.anchor!r} any more; mend the demo's tour.")
    cursor = start + len(stop.anchor)
    line_end = text.find("\n", cursor)
    return Source(text[:cursor], text[line_end:], f"lsp_server/{stop.file}")


def card(stop: Stop, source: Source, first: Completion, second: Completion) -> Panel:
    """One place: what stood there dimmed, what the model wrote highlighted, what it cost."""
    shown = Text("\n".join(source.before.split("\n")[-CONTEXT_LINES:]), style="dim")
    if first.text:
        shown.append(first.text, style="bold green")
    else:
        shown.append(f"  ({first.reason.sentence})", style="yellow")
    line = source.before.count("\n") + 1
    again = Text(f"then, after typing {stop.typed!r}: ", style="dim")
    again.append(costs(second), style="cyan")
    return Panel(
        Group(shown, again),
        title=f"{source.path}:{line}",
        title_align="left",
        subtitle=f"[cyan]{costs(first)}[/]",
        subtitle_align="right",
        border_style="dim",
    )


def costs(completion: Completion) -> str:
    """Milliseconds and tokens of one answer."""
    timings = completion.timings
    total = f"{timings.get('total_ms', 0):.0f} ms"
    if "predicted_n" not in timings:
        return f"{total} · {completion.reason}"
    read, reused, written = (int(timings[name]) for name in ("prompt_n", "cache_n", "predicted_n"))
    return f"{total} · {read} tokens read, {reused} reused, {written} written"


def next_steps(package: Path) -> str:
    """What to do after the demo."""
    tenon = Path(sys.executable).with_name("tenon")
    example = package / "errors.py"
    return f"""
[bold]Next[/]
  One completion in a shell:
    {tenon} complete {example}:7:12
  Larger models that know more:
    {tenon} models list
  What an editor starts (README says how to set yours up):
    {tenon} serve --stdio"""


async def _ask(
    provider: CompletionProvider, engine: CompletionEngine, stop: Stop, source: Source
) -> Completion:
    return await provider.complete(Query(stop.file, source, automatic=True), engine)
