"""What of a repository's files is worth learning; everything that is not goes into a ledger.

First each file by itself: its shape, its licence notice, its secrets, its trivial pairs. Then all
together: of near-duplicate files and bodies one copy is kept, the newest file's.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec

from lsp_server.store.files import RepositoryFile, Skipped
from lsp_server.store.secrets import find_secrets

from ..outlines.extract import ExtractedFile
from ..outlines.parts import Outline, Pair, Span
from .cleaning import overlaps, redacted, without_notice
from .ledger import Ledger, Rejected
from .near_duplicates import Signature, repeats, sketches
from .shape import refused_shape
from .testcode import is_test, share_of_tests
from .trivial import documented, refused_pair

__all__ = ["Curated", "CuratedFile", "Rejected", "curate", "overlaps"]

MOST_TESTS = 0.25
"""The largest share of tests among the characters that are learnt from."""


@dataclass(frozen=True, slots=True)
class CuratedFile:
    """A file to learn from.

    ``file.text`` is the text without licence notice and secrets, which all offsets refer to;
    ``file.sha256`` is still that of the bytes on disk. ``pairs`` are the ones worth learning;
    a docstring that says too little is "". ``redacted`` are the sorted spans that were overwritten:
    a middle that :func:`overlaps` one must not be learnt. ``packed`` is the outline, in a tenth
    of the memory that it takes as objects.
    """

    file: RepositoryFile
    pairs: tuple[Pair, ...]
    is_test: bool
    redacted: tuple[Span, ...]
    packed: bytes

    @classmethod
    def of(
        cls,
        file: RepositoryFile,
        outline: Outline,
        *,
        is_test: bool = False,
        redacted: Sequence[Span] = (),
    ) -> "CuratedFile":
        """A file with its outline as it is; all of the outline's pairs are kept."""
        return cls(
            file=replace(file, text=outline.text),
            pairs=outline.pairs,
            is_test=is_test,
            redacted=tuple(redacted),
            packed=msgspec.msgpack.encode(replace(outline, text="", pairs=())),
        )

    @property
    def outline(self) -> Outline:
        """Unpacked at every call: ask once a file, not once a middle."""
        outline = msgspec.msgpack.decode(self.packed, type=Outline)
        return replace(outline, text=self.file.text, pairs=self.pairs)


@dataclass(frozen=True, slots=True)
class Curated:
    """``files`` are sorted by path."""

    files: tuple[CuratedFile, ...]
    ledger: Ledger

    def shares(self, most_tests: float = MOST_TESTS) -> tuple[float, ...]:
        """What part of each file to learn from, so that tests have at most ``most_tests`` of all
        characters: 1 for code, the same for all tests.
        """
        sizes = ((len(entry.file.text), entry.is_test) for entry in self.files)
        share = share_of_tests(sizes, most_tests)
        return tuple(share if entry.is_test else 1.0 for entry in self.files)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A file that is fine by itself, and the sketches of its text and of each of its pairs."""

    curated: CuratedFile
    sketch: Signature | None
    bodies: tuple[Signature | None, ...]

    @property
    def path(self) -> str:
        return self.curated.file.path


def curate(files: Iterable[ExtractedFile | Skipped], ledger: Ledger | None = None) -> Curated:
    """Read ``files`` once, one outline in memory at a time; what was skipped is entered, too.

    ``ledger`` is a new one in memory if none is given.
    """
    ledger = Ledger() if ledger is None else ledger
    candidates: list[_Candidate] = []
    for entry in files:
        if isinstance(entry, Skipped):
            ledger.add(Rejected(path=entry.path, what="file", reason=entry.reason))
        elif candidate := _candidate(entry, ledger):
            candidates.append(candidate)
    candidates.sort(key=lambda one: (-one.curated.file.modified, one.path))
    kept = sorted(_without_repeats(candidates, ledger), key=lambda entry: entry.file.path)
    return Curated(tuple(kept), ledger)


def _candidate(extracted: ExtractedFile, ledger: Ledger) -> _Candidate | None:
    file = extracted.file
    outline = without_notice(extracted.outline, file.language)
    if reason := refused_shape(outline.text, file.language):
        ledger.add(Rejected(path=file.path, what="file", reason=reason))
        return None
    secrets = tuple(find_secrets(outline.text, file.path))
    outline = redacted(outline, secrets)
    pairs = []
    for pair in outline.pairs:
        reason = refused_pair(pair, outline, file.language)
        if overlaps(secrets, *pair.body):
            reason = "holds a secret"
        if reason:
            ledger.add(Rejected(path=file.path, what="pair", reason=reason, name=pair.name))
        else:
            pairs.append(pair if documented(pair) else replace(pair, docstring=""))
    outline = replace(outline, pairs=tuple(pairs))
    whole, *bodies = sketches(outline.text, file.language, [pair.body for pair in pairs])
    test = is_test(file.path, file.language, outline.text)
    curated = CuratedFile.of(file, outline, is_test=test, redacted=secrets)
    return _Candidate(curated, whole, tuple(bodies))


def _without_repeats(candidates: Sequence[_Candidate], ledger: Ledger) -> Iterator[CuratedFile]:
    """Of two that are alike, the earlier stays."""
    kept: list[_Candidate] = []
    copies = repeats([candidate.sketch for candidate in candidates])
    for candidate, copied in zip(candidates, copies, strict=True):
        if copied is None:
            kept.append(candidate)
        else:
            ledger.add(_near_duplicate(candidate, of=candidates[copied].path))
    # A class with one method is like that method, and no copy of it.
    repeated = _repeated(kept, ledger, classes=False) | _repeated(kept, ledger, classes=True)
    for number, candidate in enumerate(kept):
        pairs = candidate.curated.pairs
        left = (pair for place, pair in enumerate(pairs) if (number, place) not in repeated)
        yield replace(candidate.curated, pairs=tuple(left))


def _repeated(kept: Sequence[_Candidate], ledger: Ledger, *, classes: bool) -> set[tuple[int, int]]:
    """The places (number of the file, number of the pair in it) of pairs that are copies."""
    places = [
        (number, place)
        for number, candidate in enumerate(kept)
        for place, pair in enumerate(candidate.curated.pairs)
        if (pair.kind == "class") == classes
    ]
    repeated = set()
    copies = repeats([kept[number].bodies[place] for number, place in places])
    for (number, place), copied in zip(places, copies, strict=True):
        if copied is not None:
            original, at = places[copied]
            name = f"{kept[original].path}:{kept[original].curated.pairs[at].name}"
            ledger.add(_near_duplicate(kept[number], place, of=name))
            repeated.add((number, place))
    return repeated


def _near_duplicate(candidate: _Candidate, place: int | None = None, *, of: str) -> Rejected:
    return Rejected(
        path=candidate.path,
        what="file" if place is None else "pair",
        reason="near-duplicate",
        name="" if place is None else candidate.curated.pairs[place].name,
        repeats=of,
    )
