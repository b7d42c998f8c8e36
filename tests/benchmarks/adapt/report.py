"""Tables of what the arms came to, with paired tests against the base.

The end is the token that says that an answer stops: its part is per place, in nats.

python -m tests.benchmarks.adapt.report OUT.jsonl [--bench FOLDER]
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from .lab import BASE
from .splits import read_split

GROUPS = {"midline + line": {"midline", "line"}, "body": {"body"}}


@dataclass(slots=True)
class Pooled:
    """Sums over places: of an arm, of the base in the same places, and where only one was right."""

    count: int = 0
    tokens: int = 0
    nll: float = 0.0
    base_nll: float = 0.0
    end: float = 0.0
    base_end: float = 0.0
    exact: int = 0
    first: int = 0
    base_exact: int = 0
    base_first: int = 0
    gained: int = 0
    lost: int = 0

    def add(self, place: list[float], base: list[float]) -> None:
        self.count += 1
        self.tokens += int(place[1])
        self.nll += place[0]
        self.base_nll += base[0]
        self.end += place[4]
        self.base_end += base[4]
        self.exact += int(place[2])
        self.first += int(place[3])
        self.base_exact += int(base[2])
        self.base_first += int(base[3])
        self.gained += place[2] > base[2]
        self.lost += place[2] < base[2]

    @property
    def p_value(self) -> float:
        """McNemar's exact test, two-sided."""
        discordant = self.gained + self.lost
        if not discordant:
            return 1.0
        tail = sum(math.comb(discordant, k) for k in range(min(self.gained, self.lost) + 1))
        return min(1.0, 2 * tail / 2**discordant)


def pooled(rows: list[dict], kinds: dict[str, list[str]]) -> dict[tuple[str, ...], Pooled]:  # type: ignore[type-arg]
    """By (arm, whose adapter, context, group of kinds)."""
    base = {(it["target"], it["context"]): it["places"] for it in rows if it["arm"] == BASE}
    found: dict[tuple[str, ...], Pooled] = {}
    for row in rows:
        whose = {"": "none", row["target"]: "own"}.get(row["adapter"], "other")
        context = "+ctx" if row["context"] else "-"
        before = base[row["target"], row["context"]]
        names = kinds.get(row["target"], [row["target"]] * len(before))
        for kind, place, old in zip(names, row["places"], before, strict=True):
            for group in _groups(kind):
                key = (row["arm"], whose, context, group)
                found.setdefault(key, Pooled()).add(place, old)
    return found


def _groups(kind: str) -> Iterator[str]:
    found = [name for name, kinds in GROUPS.items() if kind in kinds]
    yield from found or [kind]


def table(found: dict[tuple[str, ...], Pooled]) -> Table:
    result = Table("arm", "adapter", "context", "places", "n", "exact %", "±", "p", "first line %",
                   "±", "nats/token", "±", "± of the end")  # fmt: skip
    for key, it in found.items():
        exact, first = 100 * it.exact / it.count, 100 * it.first / it.count
        result.add_row(
            *key, str(it.count), f"{exact:.1f}", f"{exact - 100 * it.base_exact / it.count:+.1f}",
            f"{it.p_value:.3f}", f"{first:.1f}", f"{first - 100 * it.base_first / it.count:+.1f}",
            f"{it.nll / it.tokens:.3f}", f"{(it.nll - it.base_nll) / it.tokens:+.3f}",
            f"{(it.end - it.base_end) / it.count:+.3f}",
        )  # fmt: skip
    return result


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, nargs="+")
    parser.add_argument("--bench", type=Path, default=Path("../shared/bench"))
    options = parser.parse_args(argv)
    splits = [read_split(path) for path in (options.bench / "timesplit").glob("*.json.xz")]
    kinds = {split.name: [place.kind for place in split.places] for split in splits}
    rows = [
        json.loads(line)
        for path in options.out
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    Console(width=150).print(table(pooled(rows, kinds)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
