"""The tables of benchmarks."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table; ``values`` are in ``unit``, their median is to stay below ``aim``."""

    name: str
    unit: str
    values: Sequence[float]
    note: str = ""
    aim: float | None = None


def quantile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def table(title: str, rows: Sequence[Row]) -> Table:
    """The rows with median and 95th percentile."""
    result = Table(title=title)
    for heading in ("", "unit", "n", "p50", "p95", ""):
        result.add_column(heading, justify="left" if not heading else "right", overflow="fold")
    for row in rows:
        result.add_row(
            row.name,
            row.unit,
            str(len(row.values)),
            f"{statistics.median(row.values):.2f}",
            f"{quantile(row.values, 0.95):.2f}",
            row.note,
        )
    return result
