"""The time-split repositories: what is trained on, what is asked, and what finds definitions."""

import json
import lzma
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from lsp_server.prompt.assemble import Source
from lsp_server.store.files import RepositoryFile
from lsp_server.store.index import RepositoryIndex
from training.curation.curate import CuratedFile
from training.data.dataset import Codebase, TrainingFile
from training.data.samples import Sample
from training.data.terms import Terms
from training.outlines.outline import outline


@dataclass(frozen=True, slots=True)
class Place:
    """One span of newer code: the file around it and what stood there."""

    kind: str
    source: Source
    middle: str


@dataclass(frozen=True, slots=True)
class Split:
    """One repository at two times."""

    name: str
    training: tuple[RepositoryFile, ...]
    newer: tuple[RepositoryFile, ...]
    places: tuple[Place, ...]


def read_split(path: Path, most: int = 0) -> Split:
    """One file of the benchmark; ``most`` places of it, evenly spread (0: all)."""
    with lzma.open(path, "rt", encoding="utf-8") as file:
        data = json.load(file)
    name = data["repo"].rpartition("/")[2]
    head = data["head_files"]
    places = []
    for span in data["eval"][:: -(-len(data["eval"]) // most) if most else 1]:
        text, start, end = head[span["path"]], span["start"], span["end"]
        source = Source(text[:start], text[end:], span["path"], name)
        places.append(Place(span["kind"], source, text[start:end]))
    return Split(name, _files(data["train"].items()), _files(head.items()), tuple(places))


def _files(texts: Iterable[tuple[str, str]]) -> tuple[RepositoryFile, ...]:
    return tuple(
        RepositoryFile(path, "python", text, sha256(text.encode()).hexdigest(), 0.0)
        for path, text in sorted(texts)
        if text.strip()
    )


def codebase(name: str, files: Sequence[RepositoryFile]) -> Codebase:
    """Files as what samples are cut from."""
    outlines = ((file, outline(file.text, file.language)) for file in files)
    kept = [TrainingFile(CuratedFile.of(file, it)) for file, it in outlines if it is not None]
    return Codebase(name, kept, RepositoryIndex.of_files(files))


def asked(split: Split, terms: Terms, *, context: bool) -> list[Sample]:
    """Every place as the prompt that serving would make, and its truth."""
    index = RepositoryIndex.of_files(split.newer)
    sources = ((place.source, place.middle) for place in split.places)
    return [
        terms.sample(terms.with_snippets(source, index) if context else source, middle)
        for source, middle in sources
    ]
