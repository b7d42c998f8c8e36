"""Which files and bodies say nearly what another one says: MinHash over runs of five tokens.

The signatures are the corpus's (:mod:`training.corpus.ngrams`), computed for a file and all its
parts at once; datasketch's LSH finds who is like whom. The same input gives the same answer.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np
import numpy.typing as npt
from datasketch import LeanMinHash, MinHashLSH

from ..corpus.duplicates import ROWS, SIMILAR
from ..corpus.ngrams import PERMUTATIONS, SHINGLE, TOKEN, ngrams, signatures
from ..outlines.parts import Span
from .comments import without_comments

Signature = npt.NDArray[np.uint32]


def sketches(text: str, language: str, parts: Sequence[Span]) -> list[Signature | None]:
    """The signatures of the whole text and of each part; None for what has too few tokens.

    Comments do not count. Every token is hashed once, however many parts it belongs to.
    """
    edges = sorted({0, len(text), *(edge for part in parts for edge in part)})
    pieces = [
        TOKEN.findall(without_comments(text[start:end], language)) for start, end in pairwise(edges)
    ]
    before = [0, *accumulate(map(len, pieces))]
    shingles = ngrams([token for piece in pieces for token in piece], SHINGLE)

    def tokens_before(offset: int) -> int:
        return before[bisect_left(edges, offset)]

    spans = [
        (tokens_before(start), tokens_before(end) - SHINGLE + 1)
        for start, end in ((0, len(text)), *parts)
    ]
    wanted = [number for number, (start, end) in enumerate(spans) if end > start]
    found: list[Signature | None] = [None] * len(spans)
    for number, signature in zip(
        wanted, signatures(shingles, [spans[number] for number in wanted]), strict=True
    ):
        found[number] = signature
    return found


def repeats(sketched: Sequence[Signature | None]) -> list[int | None]:
    """For each signature, which earlier one it is like; None for what is to be kept.

    Nothing is compared with what is itself a copy. Without a signature there is nothing to compare.
    """
    found: list[int | None] = [None] * len(sketched)
    index = MinHashLSH(num_perm=PERMUTATIONS, params=(PERMUTATIONS // ROWS, ROWS))
    kept: dict[int, LeanMinHash] = {}
    for number in _suspects(sketched):
        sketch = LeanMinHash(seed=1, hashvalues=sketched[number], scheme="legacy")
        like = [one for one in index.query(sketch) if kept[one].jaccard(sketch) >= SIMILAR]
        if like:
            found[number] = min(like)
        else:
            index.insert(number, sketch, check_duplication=False)
            kept[number] = sketch
    return found


def _suspects(sketched: Sequence[Signature | None]) -> list[int]:
    """The numbers of those that share a band with another one.

    The index would find nothing for the rest, and takes some 5 kB for each.
    """
    numbers = [number for number, signature in enumerate(sketched) if signature is not None]
    if not numbers:
        return []
    table = np.stack([signature for signature in sketched if signature is not None])
    shared = np.zeros(len(numbers), bool)
    for start in range(0, PERMUTATIONS, ROWS):
        band = np.ascontiguousarray(table[:, start : start + ROWS]).view(f"V{ROWS * 4}").ravel()
        _, places, counts = np.unique(band, return_inverse=True, return_counts=True)
        shared |= counts[places] > 1
    return [number for number, is_shared in zip(numbers, shared, strict=True) if is_shared]
