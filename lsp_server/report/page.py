"""The report as HTML: facts and plots through one template, all escaped."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..store.feedback_summary import BASE, Tally
from .figures import share, signed
from .gates import comparisons
from .material import Material
from .plots import acceptance_plot, gate_plot, latency_plot, loss_plot

TEMPLATE = "page.html.j2"
MOST_RUNS, MOST_COMPARED = 6, 3
"""Runs, and adapters beside the base, that are shown: the newest."""


def page(material: Material) -> str:
    """One self-contained HTML page: no scripts, nothing fetched, in the colours of its host."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(signed=signed, share=share, size=_size, spell=_spell)
    return environment.get_template(TEMPLATE).render(**_context(material))


def _context(material: Material) -> dict[str, Any]:
    feedback = material.feedback
    runs = [
        (run, loss_plot(run) if _has_curve(run.steps) else None)
        for run in reversed(material.runs[-MOST_RUNS:])
    ]
    return {
        "it": material,
        "serving": material.serving,
        "total": feedback.total(),
        "gates": gate_plot(material.adapters) if material.adapters else None,
        "compared": [
            (judged, comparisons(judged.gate))
            for judged in reversed(material.adapters[-MOST_COMPARED:])
            if judged.gate is not None
        ],
        "runs": runs,
        "acceptance": acceptance_plot(feedback) if feedback.total().shown else None,
        "latency": latency_plot(feedback) if feedback.total().latencies else None,
        "by_adapter": list(_named(feedback.by_adapter())),
    }


def _has_curve(steps: tuple[Any, ...]) -> bool:
    return any(step.loss is not None or step.heldout is not None for step in steps)


def _named(tallies: dict[str, Tally]) -> Iterator[tuple[str, Tally]]:
    for name, tally in tallies.items():
        yield ("base alone" if name == BASE else name), tally


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB"


def _spell(seconds: float) -> str:
    """``75`` -> ``1 min 15 s``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
