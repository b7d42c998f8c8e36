"""Reads a folder of evaluation sets into the texts that no training file may repeat."""

import dataclasses
import gzip
import json
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """``problems``: (function name or empty, code) of small sets; ``files``: of real repositories.

    The difference matters to `overlap`: files of repositories are full of phrases that everybody
    writes, problems are short and were written for the set.
    """

    problems: tuple[tuple[str, str], ...]
    files: tuple[str, ...]


def read_evaluation(folder: Path) -> Evaluation:
    """Every ``*.jsonl.gz`` (problems, or rows cut from repositories) and ``*.json.xz`` (files)."""
    problems: dict[tuple[str, str], None] = {}
    files: dict[str, None] = {}
    for path in sorted(folder.rglob("*.jsonl.gz")):
        for row in _rows(path):
            if row.get("language", "py") not in {"py", "python"}:
                continue
            if "groundtruth" in row:
                files[row["prompt"] + row["groundtruth"] + row["right_context"]] = None
            else:
                text = row["prompt"] + row["canonical_solution"] + row.get("suffix", "")
                problems[row.get("entry_point", ""), text] = None
    for path in sorted(folder.rglob("*.json.xz")):
        with lzma.open(path, "rt", encoding="utf-8") as file:
            repository = json.load(file)
        for part in ("train", "head_files"):
            files.update(dict.fromkeys(repository[part].values()))
    return Evaluation(tuple(problems), tuple(files))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)
