"""The tokens that token healing chooses among while an answer repeats what was taken back."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray


class PieceIndex:
    """Finds the tokens that may continue a required text; built once per vocabulary."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        ordered = sorted((piece, token) for token, piece in enumerate(pieces) if piece)
        self._by_token = pieces
        self._pieces = [piece for piece, _ in ordered]
        self._tokens = np.array([token for _, token in ordered], np.int64)

    def allowed(self, required: bytes) -> NDArray[np.int64]:
        """The tokens among which the next one is chosen while ``required`` is still to come.

        Those that begin with it. Where there are none, the longest token that it begins with: a
        shorter one would leave the model with pieces that it never saw in this place. For white
        space both kinds: most vocabularies join its last blank to the word that follows.
        """
        covering = self._range(required, _successor(required))
        if required.strip() and len(covering):
            return covering
        beginnings = [
            found
            for length in range(len(required) - 1, 0, -1)
            if len(found := self._exactly(required[:length]))
        ]
        if required.strip():
            return beginnings[0] if beginnings else covering
        return np.concatenate([covering, *beginnings])

    def choices(
        self, required: bytes, tokens: Iterable[int]
    ) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Where an answer's ``tokens`` repeat ``required``: each place, and what is chosen among.

        A place whose token healing would not have chosen is left out.
        """
        for place, token in enumerate(tokens):
            if not required:
                return
            if token in (allowed := self.allowed(required)):
                yield place, allowed
            required = required[len(self._by_token[token]) :]

    def _exactly(self, piece: bytes) -> NDArray[np.int64]:
        return self._range(piece, piece + b"\0")

    def _range(self, first: bytes, last: bytes) -> NDArray[np.int64]:
        start = bisect_left(self._pieces, first)
        return self._tokens[start : bisect_left(self._pieces, last, start)]


def _successor(prefix: bytes) -> bytes:
    """The first byte string after every string that begins with ``prefix``."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else b"\xff" * 64
