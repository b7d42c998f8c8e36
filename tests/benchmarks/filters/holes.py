"""Places in newer code where somebody would wait for a suggestion, and what is typed there next."""

import json
import lzma
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from lsp_server.completion.lines import is_word, rest_of_line
from lsp_server.store.files import RepositoryFile
from lsp_server.store.index import RepositoryIndex

COUNTS = {"midline": 25, "line": 25, "body": 15, "typing": 35, "ended": 10}
COUNTS |= {"inside": 10, "paired": 10}
"""Places of each kind per repository. The first three are the benchmark's own; the others lie
within its new lines: ``typing`` where the line ends at the cursor, ``inside`` within brackets that
are there already with what follows them, ``paired`` where only the closing one is, as editors
write it; ``ended`` is the end of any line of a body, and nothing may follow it.
"""
PAIRS = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class Hole:
    """A document split at the cursor; ``truth`` is its text from there on once it is typed, up to
    where the new code ends. ``name`` is unique, and the same in every run.
    """

    name: str
    repository: str
    kind: str
    path: str
    before: str = field(repr=False)
    after: str = field(repr=False)
    truth: str

    def is_right(self, text: str, replace: int = 0) -> bool:
        """Whether inserting ``text``, for ``replace`` characters, gives what is typed next.

        All of it must be typed so, to the end of a line at least; where text stands right of the
        cursor, as far as that text goes.
        """
        rest = rest_of_line(self.after)
        typed = (text + rest[replace:]).rstrip()
        if not self.truth.startswith(typed):
            return False
        return bool(rest) or not self.truth[len(typed) :].partition("\n")[0].strip()


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository's holes, and its newer files by path."""

    name: str
    holes: tuple[Hole, ...]
    files: dict[str, str] = field(repr=False)

    def index(self) -> RepositoryIndex:
        """Where snippets are looked up; a file never finds itself in it."""
        return RepositoryIndex.of_files(
            RepositoryFile(path, "python", text, "", 0.0)
            for path, text in self.files.items()
            if text.strip()
        )


def repositories(folder: Path, share: float = 1.0) -> Iterator[Repository]:
    """The time-split repositories in a folder (``*.json.xz``), with ``share`` of their holes."""
    for archive in sorted(folder.glob("*.json.xz")):
        with lzma.open(archive, "rt", encoding="utf-8") as file:
            data = json.load(file)
        name = data["repo"].rpartition("/")[2]
        yield Repository(name, tuple(_holes(name, data, share)), data["head_files"])


def _holes(repository: str, data: dict[str, Any], share: float) -> Iterator[Hole]:
    for kind, count in COUNTS.items():
        random = Random(f"{repository} {kind}")
        source = {"midline": "midline", "body": "body", "ended": "body"}.get(kind, "line")
        spans = [span for span in data["eval"] if span["kind"] == source]
        random.shuffle(spans)
        holes = (_hole(repository, kind, span, data["head_files"], random) for span in spans)
        asked = [hole for hole in holes if hole is not None and not is_word(hole.after[:1])]
        yield from asked[: round(count * share)]


def _hole(
    repository: str, kind: str, span: dict[str, Any], files: dict[str, str], random: Random
) -> Hole | None:
    text, start, end = files[span["path"]], span["start"], span["end"]
    cursor, after = start, text[end:]
    if kind == "typing":
        cursor = random.randrange(start + 1, max(end - 1, start + 2))
    elif kind == "body":
        while text[cursor] in " \t":  # an editor has indented the line by then
            cursor += 1
    elif kind == "ended":
        line_ends = [at for at in range(start, end) if text[at] == "\n"]
        cursor = random.choice([*line_ends, end])
    elif kind in {"inside", "paired"}:
        found = _brackets(text[start:end])
        if not found:
            return None
        opened, closed = (start + at for at in random.choice(found))
        cursor = opened + 1
        after = text[closed:] if kind == "inside" else text[closed] + after
    return Hole(
        name=f"{repository}/{span['path']}:{cursor}-{end}:{kind}",
        repository=repository,
        kind=kind,
        path=span["path"],
        before=text[:cursor],
        after=after,
        truth=text[cursor:end],
    )


def _brackets(line: str) -> list[tuple[int, int]]:
    """Where the pairs of brackets of a line stand that hold something."""
    stack: list[int] = []
    found = []
    for at, character in enumerate(line):
        if character in PAIRS:
            stack.append(at)
        elif stack and character == PAIRS[line[stack[-1]]]:
            opened = stack.pop()
            if line[opened + 1 : at].strip():
                found.append((opened, at))
    return found
