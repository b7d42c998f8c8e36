"""(document, cursor, snippets) -> Prompt: segments of control tokens and text, never one string."""

from collections.abc import Sequence
from dataclasses import dataclass

from .formats import FimFormat, Part, RepositoryLayout, Segment, Special, Text
from .window import Budget, CountTokens, window


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of another file that may help; ``path`` is relative to the repository's root."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Source:
    """What is completed: a document split at the cursor, and where it lives.

    Texts have LF line ends. ``path`` is relative to the repository's root, with forward
    slashes; ``repository`` is the root folder's name.
    """

    before: str
    after: str
    path: str = ""
    repository: str = ""
    snippets: Sequence[Snippet] = ()


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model reads, in order, and the control tokens that end its answer."""

    segments: tuple[Segment, ...]
    stops: tuple[str, ...] = ()


def assemble(source: Source, fim: FimFormat, budget: Budget, count: CountTokens) -> Prompt:
    """Lay a document out as ``fim``'s family was trained to read it.

    Where the family has tokens for it, the repository's name and the file's path stand before the
    text. The windows are cut by :func:`lsp_server.prompt.window.window`; ``count`` counts the
    tokens of whole lines.
    """
    cut = window(source.before, source.after, budget, count)
    context: tuple[Segment, ...] = ()
    header = ""
    if fim.repository and (source.path or source.snippets):
        context = _repository(fim.repository, source)
        header = fim.repository.in_prefix.format(path=source.path)
    middle = compose(fim, header + cut.prefix, cut.suffix, path=source.path)
    bos = (fim.bos,) if fim.bos else ()
    return Prompt(_merge((*bos, *context, *middle)), fim.stops)


def compose(fim: FimFormat, prefix: str, suffix: str, *, path: str = "") -> tuple[Segment, ...]:
    """Fill a format's layout with texts that are already cut, without BOS or other files."""
    texts = {Part.PREFIX: prefix, Part.SUFFIX: suffix, Part.PATH: path}
    return _merge(
        tuple(Text(texts[entry]) if isinstance(entry, Part) else entry for entry in fim.layout)
    )


def _repository(layout: RepositoryLayout, source: Source) -> tuple[Segment, ...]:
    values = {"name": source.repository}
    segments = list(_fill(layout.repository, values)) if source.repository else []
    for snippet in source.snippets:
        segments += _fill(layout.file, {"path": snippet.path, "text": snippet.text})
    segments += _fill(layout.current, {"path": source.path})
    return tuple(segments)


def _fill(segments: Sequence[Segment], values: dict[str, str]) -> tuple[Segment, ...]:
    return tuple(
        entry if isinstance(entry, Special) else Text(entry.text.format(**values))
        for entry in segments
    )


def _merge(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Join neighbouring texts, so that a token may span them, and drop empty ones."""
    merged: list[Segment] = []
    for entry in segments:
        if isinstance(entry, Text):
            if not entry.text:
                continue
            if merged and isinstance(merged[-1], Text):
                merged[-1] = Text(merged[-1].text + entry.text)
                continue
        merged.append(entry)
    return tuple(merged)
