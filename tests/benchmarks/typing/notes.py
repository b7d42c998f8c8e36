"""What a replay notes: keys, what was on offer until the next one, what came up, what it cost."""

from dataclasses import dataclass, field

from .suggester import Request, Usage


@dataclass(slots=True)
class Keystroke:
    """One key, and what was on offer until the next one; times are seconds of the replay.

    ``place`` is (task, characters done), the same for whoever suggests; ``line`` counts the lines
    of a trace. ``expected``: something right can be offered here. ``held``: it was on the screen
    already. ``right``: seconds from the key until it was.
    """

    place: tuple[int, int]
    line: tuple[int, int]
    kind: str
    at: float
    until: float = 0.0
    expected: bool = False
    held: bool = False
    right: float | None = None
    text: str = ""


@dataclass(slots=True)
class Shown:
    """A text that came up on the screen."""

    at: float
    place: tuple[int, int]
    text: str
    right: bool
    whole: bool
    repeats: bool
    path: str
    cursor: int


@dataclass(slots=True)
class Replayed:
    """Everything that one replay noted."""

    trace: str
    row: str
    keys: list[Keystroke] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    accepted: int = 0
    saved: int = 0
    typed: int = 0
    misplaced: int = 0
    """Answers for another place than was asked about."""
    flickers: list[tuple[str, str]] = field(default_factory=list)
    """What was shown, and what came in its place although what was typed agreed with it."""
    grown: int = 0
    seconds: float = 0.0
    usage: Usage = field(default_factory=Usage)
