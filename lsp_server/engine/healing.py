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
        """Tokens whose bytes begin with ``required``, or are a beginning of it."""
        start = bisect_left(self._pieces, required)
        end = bisect_left(self._pieces, _successor(required), start)
        found = [self._tokens[start:end]]
        for length in range(1, len(required)):
            piece = required[:length]
            index = bisect_left(self._pieces, piece)
            while index < len(self._pieces) and self._pieces[index] == piece:
                found.append(self._tokens[index : index + 1])
                index += 1
        return np.concatenate(found)


def take_back(tokens: list[int], boundary: int, pieces: Sequence[bytes]) -> tuple[list[int], bytes]:
    """Split a prompt into what is kept and the text that the answer must begin with.

    ``boundary`` is the index of the first token that may be taken back: the control tokens and
    the texts before the last one are not touched.
    """
    tail = tokens[max(boundary, len(tokens) - MAX_TOKENS) :]
    count = tokens_to_take_back([pieces[token] for token in tail])
    if not count or count == len(tokens):  # a model cannot start from nothing
        return tokens, b""
    return tokens[:-count], b"".join(pieces[token] for token in tokens[-count:])


def _successor(prefix: bytes) -> bytes:
    """The first byte string after every string that begins with ``prefix``."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else b"\xff" * 64
