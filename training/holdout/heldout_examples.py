"""Cuts places to fill in out of held-out code, in the kinds that a time-split benchmark has.

The prompt is built from the working tree, as it would be for a user who writes this code now.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from lsp_server.store.files import RepositoryFile

from ..evaluation.asked_lines import LEAST, asked_lines, is_import, one_import_more
from ..evaluation.examples import FimExample
from ..outlines.parts import Outline, Span
from .holdout import HoldOut

KINDS = ("midline", "line", "body")
"""From somewhere inside a new line to its end; a new line; the new body of a definition."""
MAX_BODY_LINES = 24
"""Longest body, as the server's own limit of an answer."""
NEW_SHARE = 0.7
"""How much of a body's text must stand in new lines: some lines stand in every repository."""


@dataclass(frozen=True, slots=True)
class _Cut:
    """A hole; ``line`` is where the one that it asks for starts."""

    span: Span
    line: int
    is_import: bool = False
    is_preferred: bool = True


def held_out_examples(
    holdout: HoldOut,
    outline_of: Callable[[RepositoryFile], Outline | None],
    random: Random,
    per_kind: int,
    *,
    repository: str = "",
    is_allowed: Callable[[RepositoryFile, Span], bool] = lambda _file, _span: True,
) -> list[FimExample]:
    """At most ``per_kind`` examples of each of :data:`KINDS`, kind by kind.

    Files take turns, so that no file gives more than its fair share, and no line is asked for
    twice by ``midline`` and ``line``. ``outline_of`` is asked only of files with new code; its
    outline must be of the file's own text, or None for no bodies. ``is_allowed`` refuses spans,
    such as those that hold a secret. Ids are ``<kind>/<path>:<start>-<end>``.
    """
    files = [holdout.files[path] for path in sorted(holdout.new)]
    lines = {file.path: list(asked_lines(file.text, holdout.new[file.path])) for file in files}
    taken: dict[str, set[int]] = {file.path: set() for file in files}
    examples: list[FimExample] = []
    for kind in KINDS:
        cuts: dict[str, list[_Cut]] = {}
        for file in files:
            if kind == "body":
                outline = outline_of(file)
                found = list(_bodies(file, outline, holdout.new[file.path])) if outline else []
            else:
                free = [line for line in lines[file.path] if line[0] not in taken[file.path]]
                found = [_cut(file.text, line, kind, random) for line in free]
            cuts[file.path] = [cut for cut in found if is_allowed(file, cut.span)]
        for path, cut in _in_turns(cuts, random, per_kind):
            if kind != "body":
                taken[path].add(cut.line)
            examples.append(_example(kind, holdout.files[path], cut.span, repository))
    return examples


def _cut(text: str, line: Span, kind: str, random: Random) -> _Cut:
    start, end = line
    begin = random.randint(start + 1, end - 3) if kind == "midline" else start
    return _Cut((begin, end), start, is_import(text, line))


def _bodies(file: RepositoryFile, outline: Outline, new: Sequence[Span]) -> Iterator[_Cut]:
    """New bodies, documented ones preferred, without the newline before them, which is typed."""
    for pair in outline.pairs:
        start, end = pair.body
        while start < end and file.text[start] in "\r\n":
            start += 1
        body = file.text[start:end]
        if pair.kind == "class" or not body.strip() or body.count("\n") >= MAX_BODY_LINES:
            continue
        whole = _text_within(file.text, (start, end))
        fresh = sum(
            _text_within(file.text, (max(start, first), min(end, last)))
            for first, last in new
            if first < end and last > start
        )
        if whole >= LEAST and fresh >= NEW_SHARE * whole:
            yield _Cut((start, end), start, is_preferred=bool(pair.docstring))


def _text_within(text: str, span: Span) -> int:
    """How many characters of a span are no white space."""
    return sum(map(len, text[span[0] : span[1]].split()))


def _in_turns(
    cuts: dict[str, list[_Cut]], random: Random, wanted: int
) -> Iterator[tuple[str, _Cut]]:
    """Cuts of all files, one from each in turn, until there are enough; preferred ones first."""
    queues = [
        (path, sorted(random.sample(found, len(found)), key=lambda cut: cut.is_preferred))
        for path, found in cuts.items()
        if found
    ]
    random.shuffle(queues)
    given = imports = 0
    while queues and given < wanted:
        for path, queue in queues:
            while queue and given < wanted:
                cut = queue.pop()
                if cut.is_import and not one_import_more(imports, given):
                    continue
                given += 1
                imports += cut.is_import
                yield path, cut
                break
        queues = [(path, queue) for path, queue in queues if queue]


def _example(kind: str, file: RepositoryFile, span: Span, repository: str) -> FimExample:
    start, end = span
    return FimExample(
        id=f"{kind}/{file.path}:{start}-{end}",
        prefix=file.text[:start],
        suffix=file.text[end:],
        middle=file.text[start:end],
        language=file.language,
        path=file.path,
        repository=repository,
    )
