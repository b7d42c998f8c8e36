"""The time-split repositories: what is trained on, what is asked, and what finds definitions."""

import json
import lzma
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from lsp_server.prompt.assemble import Source
from lsp_server.prompt.formats import FimFormat
from lsp_server.prompt.snippets import SnippetSource, snippets_for
from lsp_server.prompt.window import Budget, window
from lsp_server.store.files import RepositoryFile
from lsp_server.store.index import RepositoryIndex
from training.curation.curate import CuratedFile
from training.data.dataset import Codebase, TrainingFile
from training.data.samples import Sample, Tokenizer, fim_sample
from training.outlines.outline import outline

FOLDER = Path(__import__("os").environ.get("TENON_BENCH", "../shared/bench")) / "timesplit"


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


def read_split(path: Path) -> Split:
    """One file of the benchmark."""
    with lzma.open(path, "rt", encoding="utf-8") as file:
        data = json.load(file)
    name = data["repo"].rpartition("/")[2]
    head = data["head_files"]
    places = []
    for span in data["eval"]:
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


def codebase(name: str, files: Sequence[RepositoryFile], *, indexed: bool = True) -> Codebase:
    """Files as what samples are cut from."""
    outlines = ((file, outline(file.text, file.language)) for file in files)
    kept = [TrainingFile(CuratedFile.of(file, it)) for file, it in outlines if it is not None]
    return Codebase(name, kept, RepositoryIndex.of_files(files) if indexed else None)


def asked(
    split: Split, fim: FimFormat, budget: Budget, tokenizer: Tokenizer, end: int, *, context: bool
) -> list[Sample]:
    """Every place as the prompt that serving would make, and its truth."""
    index: SnippetSource = RepositoryIndex.of_files(split.newer)
    samples = []
    for place in split.places:
        source = place.source
        if context:
            shown = window(source.before, source.after, budget, tokenizer.count)
            found = snippets_for(source, index, budget.snippets, tokenizer.count, shown=shown)
            source = Source(source.before, source.after, source.path, source.repository, found)
        samples.append(fim_sample(source, place.middle, fim, budget, tokenizer, end=end, heal=True))
    return samples
