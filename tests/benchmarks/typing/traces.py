"""A typing trace: which code is typed where, with which rhythm and which mistakes. Pure.

A trace is a function of (repositories, seed, number) and repeats bit for bit. It says what *would*
be typed; what is accepted from suggestions depends on who suggests and is decided while it is
replayed.
"""

from collections.abc import Mapping, Sequence
from random import Random

import msgspec

from . import rhythm

SLIPS, UNDOS = 0.012, 0.012
"""Of letters, how many are mistyped first; of words, how many are undone and typed again."""
ATTENTIVE = 0.5
"""Share of lines on which a right suggestion is accepted; the others are typed to their end."""
BODY = (140, 320)
"""Characters of the longest piece of a trace; of a longer body the first lines are typed."""
_NEIGHBOURS = {
    "a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj",
    "i": "uo", "j": "hk", "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o", "q": "wa",
    "r": "et", "s": "ad", "t": "ry", "u": "yi", "v": "cb", "w": "qe", "x": "zc", "y": "tu",
    "z": "x",
}  # fmt: skip


class Slip(msgspec.Struct, frozen=True):
    """What is typed instead of the right key, before it is noticed and taken back key by key.

    ``gaps`` are milliseconds: one per character typed, then one per backspace.
    """

    typed: str
    gaps: tuple[float, ...]


class Stroke(msgspec.Struct, frozen=True):
    """The key that types one character: ``gap`` milliseconds after what came before it.

    ``undo`` characters are first taken back at once and typed again with ``again`` as gaps.
    ``takes``: a right suggestion that shows here is accepted.
    """

    gap: float
    slip: Slip | None = None
    undo: int = 0
    again: tuple[float, ...] = ()
    takes: bool = False


class Task(msgspec.Struct, frozen=True):
    """One piece of code, typed at one place; ``pause`` milliseconds before its first key.

    ``offset`` is in the document from which all pieces of the trace are still missing.
    """

    path: str
    offset: int
    text: str
    pause: float
    strokes: tuple[Stroke, ...]
    save: bool = False


class Trace(msgspec.Struct, frozen=True):
    """The documents as they are before the first key, and what is typed into them, in order."""

    name: str
    repository: str
    seed: int
    documents: dict[str, str]
    tasks: tuple[Task, ...]

    @property
    def seconds(self) -> float:
        """How long it takes to type without any suggestion, mistakes included."""
        total = 0.0
        for task in self.tasks:
            total += task.pause
            for stroke in task.strokes:
                total += stroke.gap + sum(stroke.again)
                total += sum(stroke.slip.gaps) if stroke.slip else 0.0
        return total / 1000


class Span(msgspec.Struct, frozen=True):
    """New code of a repository: ``files[path][start:end]``."""

    kind: str
    path: str
    start: int
    end: int


class Repository(msgspec.Struct, frozen=True):
    """A repository's files by path, and the spans of them that are new."""

    name: str
    files: dict[str, str]
    spans: tuple[Span, ...]


def traces(repositories: Sequence[Repository], count: int, seed: int) -> list[Trace]:
    """``count`` traces, one repository after the other; each is a function of seed and number."""
    if not repositories:
        raise ValueError("no repository has spans that could be typed")
    return [
        trace(repositories[number % len(repositories)], seed, number) for number in range(count)
    ]


def trace(repository: Repository, seed: int, number: int) -> Trace:
    """A body begun, another tab visited, the body ended, and a line elsewhere in its file."""
    random = Random(f"{seed}/{number}/{repository.name}")
    body = _body(repository, random)
    others = [
        span
        for span in repository.spans
        if span.kind != "body" and 12 <= span.end - span.start <= 100
    ]
    random.shuffle(others)
    elsewhere = next((span for span in others if span.path != body.path), None)
    apart = next((span for span in others if _is_apart(span, body, repository.files)), None)
    chosen = [span for span in (body, elsewhere, apart) if span]
    text = repository.files[body.path][body.start : body.end]
    half = text.find("\n", int(len(text) * random.uniform(0.35, 0.65)))
    first, second = (text, "") if half <= 0 else (text[:half], text[half:])
    planned: list[tuple[Span, str]] = [(body, first)]
    if elsewhere:
        planned.append((elsewhere, _text(repository, elsewhere)))
    if second:
        planned.append((body, second))
    if apart:
        planned.append((apart, _text(repository, apart)))
    tasks, previous = [], body.path
    for span, piece in planned:
        pause = rhythm.gap(rhythm.SWITCH if span.path != previous else rhythm.JUMP, random)
        offset = span.start - sum(
            other.end - other.start
            for other in chosen
            if other.path == span.path and other.start < span.start
        )
        tasks.append(Task(span.path, offset, piece, pause, _strokes(piece, random), save=True))
        previous = span.path
    documents = {
        path: _without(repository.files[path], [span for span in chosen if span.path == path])
        for path in dict.fromkeys(span.path for span in chosen)
    }
    return Trace(f"{repository.name}-{number}", repository.name, seed, documents, tuple(tasks))


def _body(repository: Repository, random: Random) -> Span:
    bodies = [span for span in repository.spans if span.kind == "body"]
    if not bodies:
        raise ValueError(f"{repository.name} has no new body to type")
    span = random.choice(bodies)
    text = _text(repository, span)
    most = random.randint(*BODY)
    if len(text) > most:
        # Whole lines; the rest of the body stands below, as when code is put into a function.
        line_end = text.rfind("\n", 0, most)
        if line_end > BODY[0] // 2:
            span = Span(span.kind, span.path, span.start, span.start + line_end)
    return span


def _is_apart(span: Span, body: Span, files: Mapping[str, str]) -> bool:
    """Whether a span stands in the body's file, and at least ten lines from it."""
    if span.path != body.path or (span.start < body.end and body.start < span.end):
        return False
    low, high = min(span.end, body.end), max(span.start, body.start)
    return files[span.path].count("\n", low, high) >= 10


def _text(repository: Repository, span: Span) -> str:
    return repository.files[span.path][span.start : span.end]


def _without(text: str, spans: Sequence[Span]) -> str:
    for span in sorted(spans, key=lambda span: -span.start):
        text = text[: span.start] + text[span.end :]
    return text


def _strokes(text: str, random: Random) -> tuple[Stroke, ...]:
    strokes, takes = [], random.random() < ATTENTIVE
    for at, character in enumerate(text):
        if character == "\n":
            takes = random.random() < ATTENTIVE
        wait = rhythm.before(text, at, random)
        slip, undo, again = None, 0, ()
        chance = random.random()
        if character in _NEIGHBOURS and chance < SLIPS:
            slip = _slip(text, at, random)
        elif character == " " and chance < UNDOS:
            undo = _word_before(text, at)
            again = tuple(rhythm.gap(rhythm.LETTER, random) for _ in range(undo))
        strokes.append(Stroke(wait, slip, undo, again, takes))
    return tuple(strokes)


def _slip(text: str, at: int, random: Random) -> Slip:
    """A neighbouring key, and up to two letters more before it is noticed."""
    more = 0
    while more < random.choice((0, 0, 1, 2)) and text[at + more + 1 : at + more + 2].isalpha():
        more += 1
    typed = random.choice(_NEIGHBOURS[text[at]]) + text[at + 1 : at + 1 + more]
    gaps = [rhythm.gap(rhythm.LETTER, random) for _ in typed]
    gaps += [
        rhythm.gap(rhythm.BACKSPACE if key else rhythm.NOTICE, random) for key in range(len(typed))
    ]
    return Slip(typed, tuple(gaps))


def _word_before(text: str, at: int) -> int:
    """Letters of the word that ends before ``at``, none if it is too short to be worth undoing."""
    start = at
    while start > 0 and (text[start - 1].isalnum() or text[start - 1] == "_"):
        start -= 1
    return at - start if at - start >= 3 else 0
