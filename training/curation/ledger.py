"""What was not trained on, and why: counts and a few examples in memory, every case on disk."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Self

import msgspec

EXAMPLES = 3
_LINE = re.compile(r" in line \d+$")


class Rejected(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that was left out.

    ``what`` is ``file``, ``pair`` or ``middle``; ``name`` the pair's qualified name or the middle's
    kind, "" for a file. ``reason`` is short and, but for a line's number at its end, one of few.
    ``repeats`` says what a near-duplicate is like: a path, or ``path:name``.
    """

    path: str
    what: str
    reason: str
    name: str = ""
    repeats: str = ""


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """How often something was left out for one reason, and the first cases of it."""

    what: str
    reason: str
    count: int
    examples: tuple[Rejected, ...]


class Ledger:
    """Counts by (what, reason), and the first ``examples`` of each.

    With a ``path``, every case becomes a line of JSON there as soon as it is known, so that the
    file can be read after a kill; memory does not grow with the number of cases. A file that was
    there is begun anew. Raises ``OSError`` where it cannot be written.
    """

    def __init__(self, path: Path | None = None, *, examples: int = EXAMPLES) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self._examples: dict[tuple[str, str], list[Rejected]] = {}
        self._most = examples
        self._file: IO[bytes] | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("wb")

    def add(self, rejected: Rejected) -> None:
        key = rejected.what, _LINE.sub("", rejected.reason)
        self.counts[key] += 1
        examples = self._examples.setdefault(key, [])
        if len(examples) < self._most:
            examples.append(rejected)
        if self._file:
            self._file.write(msgspec.json.encode(rejected) + b"\n")
            self._file.flush()

    def total(self, what: str) -> int:
        """How many files, pairs or middles were left out."""
        return sum(count for (kind, _), count in self.counts.items() if kind == what)

    def summary(self) -> tuple[Reason, ...]:
        """The rows of a table: files, then middles, then pairs; the most frequent reason first."""
        ordered = sorted(self.counts.items(), key=lambda entry: (entry[0][0], -entry[1], entry[0]))
        return tuple(
            Reason(
                what=what,
                reason=reason,
                count=count,
                examples=tuple(self._examples[what, reason]),
            )
            for (what, reason), count in ordered
        )

    def close(self) -> None:
        """Closes the file; counting goes on without it."""
        if self._file:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def read_ledger(path: Path) -> Iterator[Rejected]:
    """The cases in a ledger's file; a line that a kill has cut short ends it.

    Raises ``msgspec.DecodeError`` for a whole line that is none of a ledger's.
    """
    with path.open("rb") as lines:
        for line in lines:
            if not line.endswith(b"\n"):
                return
            yield msgspec.json.decode(line, type=Rejected)
