"""Plots as inline SVG that takes its colours and its font from the page around it.

matplotlib draws in stand-in colours, each of which becomes a CSS value. Only figures are used, no
pyplot: nothing here has global state, a window or a font cache to wait for.
"""

import io
import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ..store.adapters.manifest import PROMOTED
from ..store.feedback_summary import BASE, Feedback, Tally
from .material import Judged
from .runs import RunStory

WIDTH, HEIGHT = 8.2, 2.7
"""Inches of 72 points; the page scales a plot to its column."""
TEXT, FAINT, FIRST, SECOND, PAGE = "#010101", "#020202", "#030303", "#040404", "#050505"
"""Stand-ins, which nobody would draw in."""
_CSS = {
    TEXT: "var(--muted)",
    FAINT: "var(--hairline)",
    FIRST: "var(--first)",
    SECOND: "var(--second)",
    PAGE: "var(--page)",
}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: it is found, read aloud, and in the page's font
    "font.size": 9.0,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": TEXT,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "lines.linewidth": 1.6,
    "lines.markersize": 5.0,
    "text.color": TEXT,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": TEXT,
    "ytick.labelcolor": TEXT,
    "ytick.major.size": 0.0,
    "legend.frameon": False,
}
MOST_LABELS = 8


def gate_plot(adapters: Sequence[Judged]) -> Markup:
    """Each adapter's gain, and down to where it lies with 95 % confidence; hollow if rejected."""

    def draw(axes: Axes) -> None:
        axes.axhline(0.0, color=TEXT, linewidth=0.9)
        for place, judged in enumerate(adapters):
            gate = judged.adapter.gate
            promoted = judged.adapter.verdict == PROMOTED
            colour = FIRST if promoted else SECOND
            if gate.lower is not None:
                axes.plot([place, place], [gate.lower, gate.gain], color=colour, linewidth=2.4)
                axes.plot([place], [gate.lower], "_", color=colour, markersize=9)
            fill = colour if promoted else PAGE
            axes.plot(
                [place], [gate.gain], "o" if promoted else "s", color=colour,
                markerfacecolor=fill, markersize=7,
            )  # fmt: skip
        _label(axes, [f"{judged.adapter.created:%d %b %H:%M}" for judged in adapters])
        axes.set_ylabel("gain, nats per token")
        axes.set_xlim(-0.6, len(adapters) - 0.4)
        axes.margins(y=0.12)

    return _drawn("Gain of each adapter at its gate", draw)


def loss_plot(run: RunStory) -> Markup:
    """Training's loss and the held-out one over the steps of a run."""

    def draw(axes: Axes) -> None:
        loss = [(step.step, step.loss) for step in run.steps if step.loss is not None]
        held = [(step.step, step.heldout) for step in run.steps if step.heldout is not None]
        if loss:
            axes.plot(*zip(*loss, strict=True), color=SECOND, alpha=0.75, label="training")
        if held:
            axes.plot(*zip(*held, strict=True), "o-", color=FIRST, label="held out")
        axes.set_ylabel("loss, nats per token")
        axes.set_xlabel("step")
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        _legend(axes)

    return _drawn(f"Losses of the run {run.id}", draw)


def acceptance_plot(feedback: Feedback) -> Markup:
    """The share of shown suggestions that was taken whole, by day, with its 95 % interval."""
    days = sorted({day for day, _ in feedback.days})

    def draw(axes: Axes) -> None:
        for name, colour, shift, tallies in (
            ("with an adapter", FIRST, -0.09, _tallies(feedback, base=False)),
            ("base alone", SECOND, 0.09, _tallies(feedback, base=True)),
        ):
            known = [(place, tallies[day]) for place, day in enumerate(days) if day in tallies]
            points = [
                (place + shift, tally.acceptance, tally.interval)
                for place, tally in known
                if tally.acceptance is not None and tally.interval is not None
            ]
            if not points:
                continue
            x = [place for place, _, _ in points]
            for place, _, (low, high) in points:
                axes.plot([place, place], [low, high], color=colour, linewidth=1.2, alpha=0.55)
            axes.plot(x, [share for _, share, _ in points], "o-", color=colour, label=name)
        axes.set_ylim(0.0, 1.0)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f} %"))
        axes.set_ylabel("accepted of shown")
        _label(axes, [f"{day:%d %b}" for day in days])
        _legend(axes)

    return _drawn("Acceptance by day", draw)


def latency_plot(feedback: Feedback) -> Markup:
    """Median and 95th percentile of the engine's answers, by day."""
    measured = [(day, tally) for day, tally in feedback.by_day().items() if tally.latencies]

    def draw(axes: Axes) -> None:
        for percent, colour, name in ((95, SECOND, "95th percentile"), (50, FIRST, "median")):
            values = [tally.latency(percent) or 0.0 for _, tally in measured]
            axes.plot(range(len(measured)), values, "o-", color=colour, label=name)
        axes.set_ylim(bottom=0.0)
        axes.set_ylabel("milliseconds")
        _label(axes, [f"{day:%d %b}" for day, _ in measured])
        _legend(axes)

    return _drawn("Latency by day", draw)


def _tallies(feedback: Feedback, *, base: bool) -> dict[date, Tally]:
    part = {key: tally for key, tally in feedback.days.items() if (key[1] == BASE) is base}
    return Feedback(part).by_day()


def _label(axes: Axes, labels: Sequence[str]) -> None:
    """Name the places 0, 1, …; of many only some."""
    every = -(-len(labels) // MOST_LABELS) or 1
    places = range(0, len(labels), every)
    axes.set_xticks(list(places), [labels[place] for place in places])
    if len(labels) == 1:
        axes.set_xlim(-1, 1)


def _legend(axes: Axes) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, borderaxespad=0.0)


def _drawn(title: str, draw: Callable[[Axes], None]) -> Markup:
    with mpl.rc_context({**_STYLE, "svg.hashsalt": title}):
        figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
        figure.patch.set_visible(False)
        axes = figure.subplots()
        axes.patch.set_visible(False)
        draw(axes)
        file = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(file, format="svg", metadata=nothing)
    return _inline(file.getvalue(), title)


def _inline(svg: str, title: str) -> Markup:
    """A part of a page: without a head, a size, unused ids and fonts of its own."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    head, _, rest = svg.partition(">")
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    svg = f'{head} role="img" aria-label="{escape(title)}">{rest}'
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
    svg = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in used else "", svg)
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    svg = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", svg)
    for colour, value in _CSS.items():
        svg = svg.replace(colour, value)
    return Markup(svg)  # noqa: S704  # matplotlib escapes the texts it is given
