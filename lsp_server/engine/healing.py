"""Token healing in the engine: an answer that must begin with the text that was taken back."""

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..prompt.healing import MAX_TOKENS, tokens_to_take_back


class PieceIndex:
    """Finds the tokens that may continue a required text; built once per vocabulary."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        ordered = sorted((piece, token) for token, piece in enumerate(pieces) if piece)
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

    def _exactly(self, piece: bytes) -> NDArray[np.int64]:
        return self._range(piece, piece + b"\0")

    def _range(self, first: bytes, last: bytes) -> NDArray[np.int64]:
        start = bisect_left(self._pieces, first)
        return self._tokens[start : bisect_left(self._pieces, last, start)]


def take_back(tokens: list[int], boundary: int, pieces: Sequence[bytes]) -> tuple[list[int], bytes]:
    """Split a prompt into what is kept and the text that the answer must begin with.

    ``boundary`` is the index of the first token that may be taken back: the control tokens and
    the texts before the last one are not touched.
    """
    tail = tokens[max(boundary, len(tokens) - MAX_TOKENS) :]
    count = tokens_to_take_back([pieces[token] for token in tail])
    if not count:
        return tokens, b""
    return tokens[:-count], b"".join(pieces[token] for token in tokens[-count:])


def _successor(prefix: bytes) -> bytes:
    """The first byte string after every string that begins with ``prefix``."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else b"\xff" * 64
