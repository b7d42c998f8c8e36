"""Guesses the next tokens of an answer from what followed the same tokens before. Pure.

Code repeats what its prompt has. A decode of four tokens costs 1.5 times one of a single token, so
that guesses pay from one right token in six on. The model's own choice decides; a wrong guess is
only work for nothing.
"""

from collections.abc import Sequence

GUESSES = 3
"""Tokens that are guessed at a time; five cost twice a single one."""
_LENGTHS = (4, 3, 2)
"""Tokens that must be the same, the longest first."""


class Lookup:
    """What a prompt and its answer hold so far."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens: list[int] = []
        self._ends: dict[tuple[int, ...], int] = {}
        """Where the last run of such tokens ends, of those that something follows."""
        for token in tokens:
            self.add(token)

    def add(self, token: int) -> None:
        """One more token at the end."""
        end = len(self._tokens)
        for length in _LENGTHS:
            if end >= length:
                self._ends[tuple(self._tokens[end - length :])] = end
        self._tokens.append(token)

    def guess(self, most: int) -> list[int]:
        """The tokens that may follow, at most ``most``; none where nothing is known."""
        most = min(most, GUESSES)
        if most > 0:
            for length in _LENGTHS:
                end = self._ends.get(tuple(self._tokens[-length:]))
                if end is not None:
                    return self._tokens[end : end + most]
        return []
