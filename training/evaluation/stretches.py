"""Stretches of code, asked line by line as they would be typed: from top to bottom.

Of a stretch, the first question shows nothing, each later one what stands before its cursor; all
have the code behind the stretch as their suffix, and the same snippets. So neighbouring prompts
differ by a line, as a user's do, and an engine reads only that line anew, and the suffix where the
prompt's format has it last: with a suffix first and a prompt of 2,000 tokens, twenty questions
cost hardly more than one (docs/benchmarks.md).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, zip_longest
from random import Random

from lsp_server.prompt.assemble import Snippet
from lsp_server.store.files import RepositoryFile
from lsp_server.store.secrets import find_secrets

from ..curation.cleaning import overlaps
from ..outlines.parts import Span
from .asked_lines import asked_lines, is_import, one_import_more
from .examples import FimExample

ENOUGH, MOST = 12, 24
"""Lines asked for. With enough of them a stretch ends at the next line that is not asked for, such
as a blank one, and with the most of them anywhere."""
FARTHEST = 20
"""Lines between two that are asked for, at most. Changes to code are often of a line or two, and
each stretch costs as much as a long one; what stands between them is shown as if it were typed."""

Stretch = tuple[FimExample, ...]


def stretches(
    file: RepositoryFile,
    spans: Sequence[Span],
    random: Random,
    *,
    repository: str = "",
    is_allowed: Callable[[Span], bool] = lambda _span: True,
) -> list[Stretch]:
    """The stretches in some spans of a file, in an order that is drawn, but for short ones, which
    come last: each costs about the same.

    Half of the lines are asked for from where their indentation ends, and half from a place inside
    them. Behind all but a stretch's last more follows (:class:`.examples.FimExample`).
    ``is_allowed`` refuses spans, such as those that hold a secret. Ids are
    ``<kind>/<path>:<start>-<end>``.
    """
    lines = sorted(line for line in {*asked_lines(file.text, spans)} if is_allowed(line))
    found = [
        tuple(_examples(file, group, random, repository)) for group in _grouped(file.text, lines)
    ]
    random.shuffle(found)
    return sorted(found, key=lambda stretch: -min(len(stretch), ENOUGH))


def stretches_without_secrets(
    file: RepositoryFile, spans: Sequence[Span], random: Random, repository: str
) -> list[Stretch]:
    """As :func:`stretches`, with no answer that holds a secret."""
    secrets = find_secrets(file.text, file.path)
    return stretches(
        file,
        spans,
        random,
        repository=repository,
        is_allowed=lambda span: not overlaps(secrets, *span),
    )


def with_context(stretch: Stretch, context: Sequence[Snippet]) -> Stretch:
    """All with the same snippets, those of the first."""
    return tuple(replace(example, context=tuple(context)) for example in stretch)


def in_turns(by_file: Sequence[Sequence[Stretch]], most: int, random: Random) -> list[Stretch]:
    """At most so many, one of each file in turn, so that the first ones are of as many files as can
    be; files that have only a short one come last in each turn.
    """
    files = random.sample([found for found in by_file if found], sum(map(bool, by_file)))
    files.sort(key=lambda found: len(found[0]) < ENOUGH)
    turns = chain.from_iterable(zip_longest(*files))
    return [stretch for stretch in turns if stretch is not None][:most]


def _grouped(text: str, lines: Sequence[Span]) -> Iterator[list[Span]]:
    """The lines of each stretch."""
    group: list[Span] = []
    imports = 0
    for line in lines:
        if is_import(text, line) and not one_import_more(imports, len(group)):
            continue
        between = text.count("\n", group[-1][1], line[0]) - 1 if group else 0
        is_long = len(group) >= (ENOUGH if between else MOST)
        if group and (is_long or between > FARTHEST):
            yield group
            group, imports = [], 0
        imports += is_import(text, line)
        group.append(line)
    if group:
        yield group


def _examples(
    file: RepositoryFile, lines: Sequence[Span], random: Random, repository: str
) -> Iterator[FimExample]:
    text, last = file.text, lines[-1][1]
    for start, end in lines:
        kind = random.choice(("line", "midline"))
        begin = random.randint(start + 1, end - 3) if kind == "midline" else start
        yield FimExample(
            id=f"{kind}/{file.path}:{begin}-{end}",
            prefix=text[:begin],
            suffix=text[last:],
            middle=text[begin:end],
            language=file.language,
            path=file.path,
            repository=repository,
            followed_by=text[end : _next_text(text, end)] if end < last else "",
        )


def _next_text(text: str, start: int) -> int:
    """Where the white space from there on ends."""
    return len(text) - len(text[start:].lstrip())
