"""Which sequence of the KV cache a request continues: one per (adapter, scale, file), for life.

KV is never reused across adapters: their values differ. A sequence that is needed for something
else is emptied first. Knows nothing of llama.cpp.
"""

from collections.abc import Sequence as Tokens
from dataclasses import dataclass, field

AdapterKey = tuple[tuple[int, float], ...]
"""(identity of the loaded adapter, scale) of each adapter in use; empty for the bare base."""


@dataclass(slots=True)
class Sequence:
    """One sequence: to whom it belongs, and the tokens that its KV cache holds."""

    number: int
    adapters: AdapterKey = ()
    file: str = ""
    tokens: list[int] = field(default_factory=list)
    last_used: int = 0


class SequencePool:
    """Hands out the sequences of one context."""

    def __init__(self, count: int) -> None:
        self._sequences = [Sequence(number) for number in range(count)]
        self._clock = 0

    def choose(self, adapters: AdapterKey, file: str, tokens: Tokens[int]) -> Sequence:
        """The sequence that saves most work; the caller cuts its KV to what is shared.

        A file's own sequence; for a request without a file, one without a file that shares more
        than half of ``tokens``; else an unused one, else the least recently used, emptied.
        """
        self._clock += 1
        mine = [entry for entry in self._sequences if entry.adapters == adapters and entry.tokens]
        if file:
            chosen = next((entry for entry in mine if entry.file == file), None)
        else:
            strays = [entry for entry in mine if not entry.file]
            chosen = max(
                strays, key=lambda entry: shared_prefix(entry.tokens, tokens), default=None
            )
            if chosen and 2 * shared_prefix(chosen.tokens, tokens) < len(tokens):
                chosen = None
        if chosen is None:
            chosen = min(self._sequences, key=lambda entry: (bool(entry.tokens), entry.last_used))
            chosen.adapters, chosen.file, chosen.tokens = adapters, file, []
        chosen.last_used = self._clock
        return chosen

    def forget(self, adapter: int) -> None:
        """Empty the sequences of an adapter that is gone."""
        for entry in self._sequences:
            if any(identity == adapter for identity, _ in entry.adapters):
                entry.tokens, entry.file, entry.adapters = [], "", ()


def shared_prefix(one: Tokens[int], other: Tokens[int]) -> int:
    """Length of the longest common prefix."""
    for index, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return index
    return min(len(one), len(other))
