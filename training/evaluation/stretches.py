"""Stretches of code, asked line by line as they would be typed: from top to bottom.

Of a stretch, the first question shows nothing, each later one what stands before its cursor; all
have the code behind the stretch as their suffix, and the same snippets. So neighbouring prompts
differ by a line, as a user's do, and an engine reads only that line anew: with a prompt of 2,000
tokens, twenty questions cost hardly more than one (docs/benchmarks.md).
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, zip_longest
from random import Random

from lsp_server.store.files import RepositoryFile

from ..outlines.parts import Span
from .asked_lines import asked_lines, is_import, one_import_more
from .examples import FimExample

ENOUGH, MOST = 12, 24
"""Lines asked for. With enough of them a stretch ends at the next line that is not worth asking
for, such as a blank one, and with the most of them anywhere."""

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
    them. All answers but a stretch's last are continued (:class:`.examples.FimExample`).
    ``is_allowed`` refuses spans, such as those that hold a secret. Ids are
    ``<kind>/<path>:<start>-<end>``.
    """
    found = [
        tuple(_examples(file, lines, random, repository))
        for lines in _grouped(file.text, spans, is_allowed)
    ]
    random.shuffle(found)
    return sorted(found, key=lambda stretch: -min(len(stretch), ENOUGH))


def in_turns(by_file: Sequence[Sequence[Stretch]], most: int, random: Random) -> list[Stretch]:
    """At most so many, one of each file in turn: the first ones are of as many files as can be."""
    files = random.sample(by_file, len(by_file))
    turns = chain.from_iterable(zip_longest(*files))
    return [stretch for stretch in turns if stretch is not None][:most]


def _grouped(
    text: str, spans: Sequence[Span], is_allowed: Callable[[Span], bool]
) -> Iterator[list[Span]]:
    """The lines of each stretch."""
    for span in spans:
        lines: list[Span] = []
        imports = 0
        for line in asked_lines(text, [span]):
            if not is_allowed(line):
                continue
            if is_import(text, line):
                if not one_import_more(imports, len(lines)):
                    continue
                imports += 1
            most = ENOUGH if lines and text.count("\n", lines[-1][1], line[0]) > 1 else MOST
            if len(lines) >= most:
                yield lines
                lines, imports = [], 0
            lines.append(line)
        if lines:
            yield lines


def _examples(
    file: RepositoryFile, lines: Sequence[Span], random: Random, repository: str
) -> Iterator[FimExample]:
    behind = file.text[lines[-1][1] :]
    for number, (start, end) in enumerate(lines):
        kind = random.choice(("line", "midline"))
        begin = random.randint(start + 1, end - 3) if kind == "midline" else start
        yield FimExample(
            id=f"{kind}/{file.path}:{begin}-{end}",
            prefix=file.text[:begin],
            suffix=behind,
            middle=file.text[begin:end],
            language=file.language,
            path=file.path,
            repository=repository,
            continues=number + 1 < len(lines),
        )
