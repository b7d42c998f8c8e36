"""A definition in a file, whichever parser found it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Symbol:
    """A definition: ``first`` and ``last`` are its lines, counted from 0, ``last`` included.

    ``kind`` is "function", "method", "class", "variable", or another language's own word; ``head``
    is the definition without its body.
    """

    name: str
    qualified: str
    kind: str
    first: int
    last: int
    head: str
