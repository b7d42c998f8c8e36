"""One evaluation as it is told: what was asked of which model, and the figures so far."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

from lsp_server import __version__
from lsp_server.completion.engine import EngineInfo
from lsp_server.prompt.formats import Order
from lsp_server.store.integrity import checksum

from ..layouts import PLAIN, relaid
from .benchmarks import Benchmark
from .evaluate import EvaluationOptions
from .metrics import Result, summarise


@dataclass(slots=True)
class Report:
    """A run; ``results`` grow while it goes on.

    ``model`` is the name to tell, ``base`` the identity that adapters over it belong to (the
    file's sha256, or what a merged file was made of), ``info`` what the engine said about it.
    ``interrupted`` is true of a run that ended before its last example.
    """

    benchmark: Benchmark
    asked: EvaluationOptions
    arm: str
    model: str
    base: str
    info: EngineInfo
    adapter: Path | None = None
    results: list[Result] = field(default_factory=list)
    seconds: float = 0.0
    interrupted: bool = False
    adapter_sha256: str | None = field(init=False)

    def __post_init__(self) -> None:
        """Read the adapter once, as it is when the run begins."""
        self.adapter_sha256 = checksum(self.adapter) if self.adapter else None

    @property
    def layout(self) -> str:
        """The layout that was really used."""
        functions = all(example.function for example in self.benchmark.examples)
        return PLAIN if functions else self.asked.layout

    @property
    def suffix_used(self) -> bool:
        """False where the model saw only what stands before the hole."""
        return relaid(self.info.fim, self.layout).order is not Order.PREFIX_ONLY

    def run(self) -> dict[str, Any]:
        """All that two runs must have in common for their results to belong together."""
        asked = self.asked
        return {
            "data": self.benchmark.path.name,
            "data_sha256": self.benchmark.sha256,
            "data_format": self.benchmark.format,
            "model": self.model,
            "base": self.base,
            "sha256": self.info.sha256,
            "fim_format": self.info.fim.name,
            "adapter": self.adapter.name if self.adapter else None,
            "adapter_sha256": self.adapter_sha256,
            "arm": self.arm,
            "layout": self.layout,
            "suffix_used": self.suffix_used,
            "samples": asked.samples,
            "temperature": asked.temperature,
            "seed": asked.seed,
            "max_tokens": asked.max_tokens,
            "prompt_tokens": asked.prompt_tokens,
            "engine_context": self.info.context,
            "nll_scored": asked.nll,
            "executed": asked.limits is not None,
        }

    def as_json(self) -> dict[str, Any]:
        """The figures and the run, with names that do not change."""
        spent = sum(result.ms for result in self.results)
        return {
            **asdict(summarise(self.results)),
            "total": len(self.benchmark.examples),
            "interrupted": self.interrupted,
            "seconds": round(self.seconds, 1),
            "ms_per_item": round(spent / len(self.results), 1) if self.results else None,
            **self.run(),
            "version": __version__,
        }

    def as_table(self) -> Table:
        """The same for people."""
        figures = summarise(self.results)
        title = f"{self.benchmark.path.name}: {figures.n} of {len(self.benchmark.examples)}"
        table = Table("", "", title=title, show_header=False)
        served = f"{self.model} ({self.info.fim.name}, layout {self.layout})"
        table.add_row("model", served if self.suffix_used else f"{served}, without the suffix")
        table.add_row("adapter", self.adapter.name if self.adapter else "none")
        table.add_row("arm", self.arm)
        rows = (
            ("exact match, first line", figures.exact_match, "{:.1%}"),
            ("exact match, whole answer", figures.exact_match_untruncated, "{:.1%}"),
            ("edit similarity", figures.edit_similarity, "{:.1%}"),
            ("stopped by itself", figures.stop_rate, "{:.1%}"),
            ("nll per token", figures.nll, "{:.3f} nats"),
            ("pass@1", figures.pass_at_1, "{:.1%}"),
            (f"pass@{self.asked.samples}", figures.pass_at_k, "{:.1%}"),
        )
        for name, value, shape in rows:
            if value is not None:
                table.add_row(name, shape.format(value))
        table.add_row("time", f"{self.seconds:.0f} s")
        return table
