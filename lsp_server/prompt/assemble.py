"""(document, cursor, snippets) -> Prompt: segments of control tokens and text, never one string."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from .formats import FimFormat, Part, RepositoryLayout, Segment, Special, Text
from .window import Budget, CountTokens, Window, window


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of another file that may help; ``path`` is relative to the repository's root.

    ``lines`` are where its parts begin (from 1), for people to look at: no prompt has them.
    """

    path: str
    text: str
    lines: tuple[int, ...] = field(default=(), compare=False)


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


Role = Literal["token", "path", "snippet", "prefix", "suffix"]
"""What a piece of a prompt is there for."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A segment and its role; neighbouring texts of two roles are one segment of a prompt."""

    role: Role
    segment: Segment


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model reads, in order, and the control tokens that end its answer.

    ``pieces`` are the same by role, for people to look at.
    """

    segments: tuple[Segment, ...]
    stops: tuple[str, ...] = ()
    pieces: tuple[Piece, ...] = field(default=(), compare=False, repr=False)


def assemble(source: Source, fim: FimFormat, budget: Budget, count: CountTokens) -> Prompt:
    """Cut a document by :func:`lsp_server.prompt.window.window`, and lay it out; ``count`` counts
    the tokens of whole lines.
    """
    return lay_out(source, fim, window(source.before, source.after, budget, count))


def lay_out(source: Source, fim: FimFormat, cut: Window) -> Prompt:
    """What is ``cut`` of a document, as ``fim``'s family was trained to read it.

    Where the family has tokens for it, the repository's name and the file's path stand before the
    text.
    """
    pieces: list[Piece] = []
    header = ""
    if fim.bos:
        pieces.append(Piece("token", fim.bos))
    if fim.repository and (source.path or source.snippets):
        pieces += _repository(fim.repository, source)
        header = fim.repository.in_prefix.format(path=source.path)
    pieces += _middle(fim, header, cut.prefix, cut.suffix, source.path)
    return Prompt(_merge([piece.segment for piece in pieces]), fim.stops, tuple(pieces))


def compose(fim: FimFormat, prefix: str, suffix: str, *, path: str = "") -> tuple[Segment, ...]:
    """Fill a format's layout with texts that are already cut, without BOS or other files."""
    return _merge([piece.segment for piece in _middle(fim, "", prefix, suffix, path)])


def _middle(fim: FimFormat, header: str, prefix: str, suffix: str, path: str) -> Iterator[Piece]:
    for entry in fim.layout:
        if entry is Part.PREFIX:
            yield Piece("path", Text(header))
            yield Piece("prefix", Text(prefix))
        elif entry is Part.SUFFIX:
            yield Piece("suffix", Text(suffix))
        elif entry is Part.PATH:
            yield Piece("path", Text(path))
        else:
            yield Piece(_role(entry, "path"), entry)


def _repository(layout: RepositoryLayout, source: Source) -> Iterator[Piece]:
    if source.repository:
        yield from _fill(layout.repository, "path", {"name": source.repository})
    for snippet in source.snippets:
        values = {"path": snippet.path, "text": snippet.text}
        yield from _fill(layout.file, "snippet", values)
    yield from _fill(layout.current, "path", {"path": source.path})


def _fill(segments: Sequence[Segment], role: Role, values: dict[str, str]) -> Iterator[Piece]:
    for entry in segments:
        filled = Text(entry.text.format(**values)) if isinstance(entry, Text) else entry
        yield Piece(_role(entry, role), filled)


def _role(segment: Segment, text: Role) -> Role:
    return "token" if isinstance(segment, Special) else text


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
