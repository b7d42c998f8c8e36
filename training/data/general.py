"""Code of nobody's repository: what an adapter is kept from forgetting, and is asked for it.

Python's own standard library lies on every machine that trains, and its licence lets it be learnt
from. Every second module is replayed; of the others one in four chooses an adapter's scale, and the
rest are the gate's.
"""

import hashlib
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from random import Random

from lsp_server.store.files import RepositoryFile

from ..curation.curate import CuratedFile
from ..evaluation.examples import FimExample
from ..evaluation.stretches import Stretch, stretches
from ..outlines.outline import outline
from .dataset import Codebase, TrainingFile
from .spans import Middle, choose

NAME = "cpython"
MOST_CHARACTERS = 60_000
CHOOSING = 4
"""Of the modules that are not replayed, one in so many chooses the scale."""
EACH = 8
"""Lines of a module that the gate asks for, at most: more modules tell more than more lines."""
ASKED = {"line_end": 1.0, "line": 1.0}
"""Kinds of middles that choose the scale."""


def library_files(folder: Path | None = None) -> Iterator[RepositoryFile]:
    """The library's top-level modules, by name; ``folder`` is this interpreter's."""
    root = folder or Path(sysconfig.get_path("stdlib"))
    for path in sorted(root.glob("*.py")):
        data = path.read_bytes()
        text = data.decode("utf-8", "replace").replace("\r\n", "\n")
        if not path.name.startswith("_") and len(text) <= MOST_CHARACTERS:
            sha256 = hashlib.sha256(data).hexdigest()
            yield RepositoryFile(f"Lib/{path.name}", "python", text, sha256, path.stat().st_mtime)


def replayed(folder: Path | None = None) -> Codebase | None:
    """What is replayed; None where there is no library as source."""
    files = [
        TrainingFile(CuratedFile.of(file, found))
        for file in list(library_files(folder))[::2]
        if (found := outline(file.text)) is not None
    ]
    return Codebase(NAME, files) if files else None


def asked(count: int, seed: int, folder: Path | None = None) -> tuple[Stretch, ...]:
    """At most ``count`` stretches for the gate, each of another of its modules."""
    files = list(library_files(folder))[1::2]
    del files[CHOOSING - 1 :: CHOOSING]
    random = Random(seed)
    found = []
    for file in random.sample(files, min(count, len(files))):
        cut = stretches(file, [(0, len(file.text))], random, repository=NAME)
        found += [stretch[:EACH] for stretch in cut[:1]]
    return tuple(found)


def choosing(count: int, seed: int, folder: Path | None = None) -> list[FimExample]:
    """At most ``count`` holes for choosing a scale, in modules that are neither replayed nor the
    gate's.
    """
    files = list(library_files(folder))[1::2][CHOOSING - 1 :: CHOOSING]
    random = Random(seed)
    random.shuffle(files)
    found: dict[str, FimExample] = {}
    each = -(-count // max(1, len(files)))
    for file in files:
        if len(found) >= count:
            break
        cut = outline(file.text)
        if cut is None:
            continue
        for middle in (choose(cut, random, ASKED) for _ in range(each)):
            example = _example(file, middle)
            if example.middle:
                found[example.id] = example
    return list(found.values())[:count]


def _example(file: RepositoryFile, middle: Middle) -> FimExample:
    return FimExample(
        id=f"{file.path}:{middle.start}-{middle.end}",
        prefix=file.text[: middle.start],
        suffix=file.text[middle.end :],
        middle=file.text[middle.start : middle.end],
        path=file.path,
        repository=NAME,
    )
