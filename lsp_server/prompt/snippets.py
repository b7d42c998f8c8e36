"""Cross-file context: what a repository holds that helps at a cursor. Pure, index injected.

First come the definitions of what the file imports and uses around the cursor, for a part of the
budget. Then come the windows of other files, and of this one where the prompt does not show it,
that share most with the code there: it is such windows that the next line is copied from. What is
left goes to more definitions, to names that only one place of the repository can mean, and to what
is imported and used elsewhere (measured: ``tests/benchmarks/retrieval.py``).

What is asked is a function of anchored text (:mod:`lsp_server.prompt.query`), so that typing leaves
the snippets, and with them the KV cache of the whole prompt, as they are.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from .assemble import Snippet, Source
from .identifiers import parts
from .imports import ALL, Import
from .passages import SEARCHED, Passage, best_passages
from .query import Query
from .window import CountTokens, Window

DEFINED_SHARE = 0.3
"""The part of the budget that definitions may take before windows."""
WHOLE_SHARE = 4
"""A definition that takes more than one part in so many of the budget is shortened to its head."""
HEADER_TOKENS = 3
"""Control tokens and line ends around one snippet."""
_MOST_PLACES = 2
"""A name that is not imported, and that more places than this define, says nothing."""
_LEAST_NAME = 4


@dataclass(frozen=True, slots=True)
class Place:
    """Where a name is defined; lines count from 0, ``last`` is included."""

    name: str
    qualified: str
    kind: str
    path: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Definition:
    """A definition's text, and its head: signature, docstring's first line, members' signatures."""

    whole: str
    head: str


class SnippetSource(Protocol):
    """Where definitions and windows are looked up; ``exclude`` is the path of the file at hand.

    Every answer is in a fixed order, and empty where the source cannot tell. While ``version`` is
    the same, so are the answers; ``current`` is that number where nothing has to be read for it,
    else None. ``search`` gives up to ``limit`` windows of each part of a source; which of them are
    best is for :func:`.passages.best_passages` to say, by one ``rarity``.
    """

    def version(self, exclude: str) -> int: ...
    def current(self, exclude: str) -> int | None: ...
    def places(self, names: Collection[str], exclude: str) -> Sequence[Place]: ...
    def definition(self, place: Place) -> Definition | None: ...
    def search(self, terms: Sequence[str], exclude: str, limit: int) -> Sequence[Passage]: ...
    def rarity(self, terms: Collection[str]) -> Mapping[str, float]: ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A piece of a file, whole and, where it has one, as a head."""

    path: str
    first: int
    last: int
    whole: str
    head: str = ""
    share: float = 1.0
    """Left out where more than this part of the budget would be taken with it."""


def snippets_for(
    source: Source,
    index: SnippetSource,
    budget_tokens: int,
    count: CountTokens,
    *,
    shown: Window | None = None,
) -> tuple[Snippet, ...]:
    """The snippets for a cursor, within a budget in tokens; the most useful one is the last.

    ``shown`` is what the prompt has of the document itself; what lies outside may be a snippet too.
    """
    if budget_tokens <= 0:
        return ()
    return fit(candidates_for(source, index, shown), budget_tokens, count)


def lines_of(candidates: Sequence[Candidate]) -> list[str]:
    """What :func:`fit` will count, for whoever counts elsewhere and wants to ask at once."""
    return [
        line
        for entry in candidates
        for text in (entry.whole, entry.head, entry.path)
        if text
        for line in _whole_lines(text)
    ]


def fit(
    candidates: Sequence[Candidate], budget_tokens: int, count: CountTokens
) -> tuple[Snippet, ...]:
    """Take what fits, best first; what is of one file becomes one snippet, best file last."""
    left = budget_tokens
    taken: dict[str, list[tuple[int, int, str]]] = {}
    for entry in candidates:
        header = 0 if entry.path in taken else _tokens(entry.path, count) + HEADER_TOKENS
        if header >= left:
            continue
        if any(entry.first <= last and first <= entry.last
               for first, last, _ in taken.get(entry.path, ())):  # fmt: skip
            continue
        room = left - budget_tokens * (1 - entry.share)
        whole = _tokens(entry.whole, count)
        limit = budget_tokens // WHOLE_SHARE if entry.head else room
        text, cost = entry.whole, whole
        if whole > limit or header + whole > room:
            if not entry.head:
                continue
            text, cost = entry.head, _tokens(entry.head, count)
        if header + cost > room:
            continue
        left -= header + cost
        taken.setdefault(entry.path, []).append((entry.first, entry.last, text))
    snippets = [_joined(path, sorted(pieces)) for path, pieces in taken.items()]
    return tuple(reversed(snippets))


def _joined(path: str, pieces: Sequence[tuple[int, int, str]]) -> Snippet:
    """One file's pieces; lines count from 1 for people."""
    lines = tuple(first + 1 for first, _, _ in pieces)
    return Snippet(path, "\n".join(text for _, _, text in pieces), lines)


def candidates_for(
    source: Source, index: SnippetSource, shown: Window | None = None
) -> tuple[Candidate, ...]:
    """What may be shown at a cursor, the most useful first. Takes some milliseconds.

    ``shown`` is what the prompt has of the document itself; what lies outside may be shown too.
    """
    query = Query.of(source)
    ranked = _ranked(index.places(_wanted(query), source.path), query)
    near = list(_defined((place for place, is_near in ranked if is_near), index))
    far = list(_defined((place for place, is_near in ranked if not is_near), index))
    return (
        *(replace(entry, share=DEFINED_SHARE) for entry in near),
        *_windows(query, index, source, shown),
        *near,
        *far,
    )


def _defined(places: Iterator[Place], index: SnippetSource) -> Iterator[Candidate]:
    for place in places:
        text = index.definition(place)
        if text is not None and text.whole.strip():
            head = text.head if len(text.head) < len(text.whole) else ""
            yield Candidate(place.path, place.first, place.last, text.whole, head)


def _windows(
    query: Query, index: SnippetSource, source: Source, shown: Window | None
) -> Iterator[Candidate]:
    found = index.search(list(query.terms), source.path, SEARCHED)
    for passage in best_passages(query, found, index.rarity(query.terms), source, shown):
        yield Candidate(passage.path, passage.first, passage.last, passage.text.strip("\n"))


def _wanted(query: Query) -> list[str]:
    """The names whose places may be meant, sorted: few, so that an index need not look up all."""
    imported = {name for entry in query.imports for name, _ in _uses(entry, query)}
    return sorted(imported | {name for name in query.near if _may_be_meant(name, query)})


def _ranked(places: Sequence[Place], query: Query) -> list[tuple[Place, bool]]:
    """Places that are meant, best first, and whether they are imported and used near the cursor."""
    by_name: dict[str, list[Place]] = {}
    for place in places:
        by_name.setdefault(place.name, []).append(place)
    ranked: dict[Place, _Rank] = {}
    for place, rank in (*_imported(by_name, query), *_unmistakable(by_name, query)):
        ranked[place] = min(ranked.get(place, rank), rank)
    ordered = sorted(ranked, key=lambda place: (ranked[place], place.path, place.first))
    return [(place, ranked[place][0] == _NEAR) for place in ordered]


_Rank = tuple[int, int, int]  # tier, how near the name is used, how far the file is from the module
_NEAR, _UNIQUE, _FAR = 0, 1, 2  # tiers: imported and used near; the only one; imported


def _imported(by_name: Mapping[str, list[Place]], query: Query) -> Iterator[tuple[Place, _Rank]]:
    """What the file's imports mean: of each, the definitions nearest to the module it names."""
    for entry in query.imports:
        for name, rank in _uses(entry, query):
            found = [
                (distance, place)
                for place in by_name.get(name, ())
                if (distance := _meant(entry, place, name)) is not None
            ]
            closest = min((distance for distance, _ in found), default=0)
            tier = _NEAR if rank < len(query.near) else _FAR
            yield from ((p, (tier, rank, d)) for d, p in found if d == closest)


def _unmistakable(
    by_name: Mapping[str, list[Place]], query: Query
) -> Iterator[tuple[Place, _Rank]]:
    """Names near the cursor that are not imported, and that hardly anything else can mean."""
    for name, rank in query.near.items():
        if not _may_be_meant(name, query):
            continue
        telling = [place for place in by_name.get(name, ()) if place.kind != "variable"]
        untested = [place for place in telling if not _is_test(place.path)] or telling
        if len(untested) <= _MOST_PLACES:
            yield from ((place, (_UNIQUE, rank, 0)) for place in untested)


def _may_be_meant(name: str, query: Query) -> bool:
    return _is_telling(name) and name not in query.defined


def _is_telling(name: str) -> bool:
    """Whether a name is one that a repository made up: `seek` may be anybody's, `seek_chunk` and
    `Seeker` hardly.
    """
    if len(name) < _LEAST_NAME or name.startswith("__"):
        return False
    return name[0].isupper() or len(parts(name)) > 1


def _uses(entry: Import, query: Query) -> Iterator[tuple[str, int]]:
    """The names that an import brings here, with the rank of their use; far away: the last."""
    far = len(query.near)
    if entry.symbol == ALL:
        yield from query.near.items()
        return
    if entry.symbol:
        yield entry.symbol, query.near.get(entry.name, far)
    alias = entry.name.rpartition(".")[2]
    for owner, name in sorted(query.attributes):
        if owner == alias:
            yield name, query.near.get(name, far)


def _meant(entry: Import, place: Place, name: str) -> int | None:
    """How far a place is from what an import names; None if it is something else."""
    if name == entry.symbol or entry.symbol in {"", ALL}:
        top = "." not in place.qualified
        return entry.distance(place.path) if top else None
    # `from package import module`, then `module.name`
    module = Import(entry.name, "", f"{entry.module}/{entry.symbol}".lstrip("/"), entry.rooted)
    return module.distance(place.path) if "." not in place.qualified else None


def _is_test(path: str) -> bool:
    name = path.rpartition("/")[2]
    return "test" in name or path.startswith("tests/") or "/tests/" in path


def _whole_lines(text: str) -> list[str]:
    return [line + "\n" for line in text.split("\n")]


def _tokens(text: str, count: CountTokens) -> int:
    return sum(count(_whole_lines(text)))
