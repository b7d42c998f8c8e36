"""The gate's report for a terminal."""

from rich.console import Group
from rich.table import Table
from rich.text import Text

from .report import GateReport, Guard, Sweep

_COLOURS = {"promoted": "green", "rejected": "red", "undecided": "yellow"}


def as_table(report: GateReport) -> Group:
    """The arms, the guards, and the verdict with its reasons."""
    parts: list[Table | Text] = []
    if report.sweep is not None:
        parts.append(_arms(report.sweep))
    if report.guards:
        parts.append(_guards(report.guards, report.answers))
    verdict = Text(report.verdict, style=f"bold {_COLOURS[report.verdict]}")
    parts.append(verdict.append(f": {report.reasons[0]}", style="default not bold"))
    parts += [Text(f"  {reason}") for reason in report.reasons[1:]]
    return Group(*parts)


def _arms(sweep: Sweep) -> Table:
    cut = f" of {sweep.planned}" if sweep.planned > sweep.spans else ""
    title = f"{sweep.spans}{cut} spans of newer code, {sweep.general_spans or 0} of general code"
    table = Table(title=title, title_justify="left", caption="nats per token")
    table.add_column("arm")
    for heading in ("newer", "gain", "at least", "general", "rise"):
        table.add_column(heading, justify="right")
    for arm in sweep.arms:
        trained = arm.scale is not None
        general = arm.general_nll is not None
        table.add_row(
            f"{arm.name} *" if arm.scale == sweep.scale else arm.name,
            f"{arm.nll:.3f}",
            f"{arm.gain:+.3f}" if trained else "",
            f"{arm.lower:+.3f}" if arm.lower is not None else "",
            f"{arm.general_nll:.3f}" if general else "",
            f"{arm.general_rise:+.3f}" if general and arm.general_rise else "",
        )
    return table


def _guards(guards: tuple[Guard, ...], answers: int) -> Table:
    table = Table(title=f"{answers} generated answers", title_justify="left")
    table.add_column("guard")
    for heading in ("before", "candidate", ""):
        table.add_column(heading, justify="right")
    for guard in guards:
        verdict = "held" if guard.passed else "worse"
        table.add_row(guard.name, f"{guard.baseline:.1%}", f"{guard.candidate:.1%}", verdict)
    return table
