"""Reads a data set's file: which format it is in, whether its rows are whole, what it holds."""

import gzip
import json
import lzma
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from lsp_server.errors import TenonError
from lsp_server.store.integrity import checksum

from .examples import FimExample
from .formats import FORMATS, Choice, Repositories

Row = dict[str, Any]
ENDINGS = (".jsonl", ".jsonl.gz", ".jsonl.xz", ".json", ".json.gz", ".json.xz")


class BenchmarkError(TenonError):
    """A data set that cannot be read, or that lacks what was asked for."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A data set in memory, in its file's order; ``sha256`` is the file's.

    ``repositories`` are the other files that came with it, by an example's ``repository``.
    """

    format: str
    path: Path
    sha256: str
    examples: tuple[FimExample, ...]
    repositories: Repositories = field(default_factory=dict)


def read(path: Path, choice: Choice) -> Benchmark:
    """Read a data set file, or the only one in a folder; raises ``BenchmarkError``."""
    path = only_file(path)
    try:
        sha256, rows = checksum(path), list(_rows(path))
    except (OSError, EOFError, UnicodeDecodeError, ValueError, lzma.LZMAError) as error:
        raise BenchmarkError(f"{path} cannot be read as JSON lines: {error}") from error
    if not rows:
        raise BenchmarkError(f"{path} has no rows")
    known = next((entry for entry in FORMATS if entry.needs <= rows[0].keys()), None)
    if known is None:
        raise BenchmarkError(
            f"{path} is in no format that is known here; its first row has the fields "
            f"{', '.join(sorted(rows[0]))}. Known are:\n{known_formats()}"
        )
    try:
        checked = _checked(rows, known.row)
        examples = tuple(known.read(checked, choice))
    except ValueError as error:
        raise BenchmarkError(f"{path} is no whole {known.name} file: {error}") from error
    if not examples:
        raise BenchmarkError(
            f"{path} has nothing in {choice.language}"
            + (f" of the kind {choice.kind}" if choice.kind else "")
        )
    if len({example.id for example in examples}) < len(examples):
        raise BenchmarkError(f"{path} has rows with the same id; give each row one of its own")
    return Benchmark(known.name, path, sha256, examples, known.repositories(checked))


def only_file(path: Path) -> Path:
    """``path`` itself, or the one data set file in a folder; raises ``BenchmarkError``."""
    if path.is_file():
        return path
    if not path.is_dir():
        raise BenchmarkError(f"there is no file or folder {path}")
    found = sorted(file for file in path.iterdir() if file.name.endswith(ENDINGS))
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise BenchmarkError(
            f"{path} should hold one data set ({', '.join(ENDINGS)}), and holds {names}; "
            "name the file"
        )
    return found[0]


def known_formats() -> str:
    """The formats with the fields that tell them, a line each."""
    return "\n".join(f"  {entry.name}: {', '.join(sorted(entry.needs))}" for entry in FORMATS)


def _rows(path: Path) -> Iterator[Row]:
    """The JSON objects of a file, one a line, or a single one over all lines (``.json``)."""
    openers: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}
    with openers.get(path.suffix, open)(path, "rt", encoding="utf-8") as file:
        for text in [file.read()] if ".json" in path.suffixes else file:
            if text.strip():
                row = json.loads(text)
                if not isinstance(row, dict):
                    raise BenchmarkError(f"{path} holds something else than JSON objects")
                yield row


def _checked(rows: list[Row], kind: type[msgspec.Struct]) -> list[msgspec.Struct]:
    """The rows with the fields that a format has; raises ``ValueError``, which says what is wrong
    where.
    """
    checked = []
    for number, row in enumerate(rows, 1):
        try:
            checked.append(msgspec.convert(row, kind))
        except msgspec.ValidationError as error:
            raise ValueError(f"row {number}: {error}") from error
    return checked
