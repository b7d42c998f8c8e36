"""A text as numbers: tokens, hashed n-grams, MinHash signatures; pure and the same everywhere."""

import functools
import hashlib
import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

TOKEN = re.compile(r"[^\W\d]\w*|\d+|[^\w\s]")
COMMENT = re.compile(r"#[^\n]*")
IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+[\w.]+[ \t]+import[ \t]+(?:\([^)]*\)|[^\n]*)|import[ \t]+[^\n]*)$",
    re.MULTILINE,
)
PERMUTATIONS = 64
SHINGLE = 5
_STEP = np.uint64(0x9E3779B97F4A7C15)


def tokens(text: str) -> list[str]:
    """Names, numbers and signs, without comments: what makes two pieces of code the same."""
    return TOKEN.findall(COMMENT.sub("", text))


def code_tokens(text: str) -> list[str]:
    """The same without import statements, which everybody writes alike."""
    return TOKEN.findall(IMPORT.sub("", COMMENT.sub("", text)))


@functools.lru_cache(maxsize=1 << 20)
def _number(token: str) -> int:
    return int.from_bytes(hashlib.blake2b(token.encode(), digest_size=8).digest(), "little")


def ngrams(words: list[str], n: int) -> Hashes:
    """One number for each run of ``n`` tokens, in order; empty for a shorter text."""
    if len(words) < n:
        return np.empty(0, np.uint64)
    numbers = np.fromiter(map(_number, words), np.uint64, len(words))
    count = len(words) - n + 1
    total = np.zeros(count, np.uint64)
    for offset in range(n):
        total = total * _STEP + numbers[offset : offset + count]
    return total ^ (total >> np.uint64(29))


def _coefficients() -> tuple[Hashes, Hashes]:
    draw = np.random.default_rng(20260101).integers(
        0, np.iinfo(np.uint64).max, (2, PERMUTATIONS), np.uint64, endpoint=True
    )
    return draw[0] | np.uint64(1), draw[1]


_FACTORS, _OFFSETS = _coefficients()


def signature(words: list[str]) -> npt.NDArray[np.uint32]:
    """The MinHash signature over runs of five tokens (of the whole text, if it is shorter)."""
    shingles = ngrams(words, min(SHINGLE, max(len(words), 1)))
    if not len(shingles):
        shingles = np.zeros(1, np.uint64)
    found: npt.NDArray[np.uint32] = signatures(shingles, [(0, len(shingles))])[0]
    return found


def signatures(shingles: Hashes, parts: Sequence[tuple[int, int]]) -> npt.NDArray[np.uint32]:
    """The MinHash signatures of parts of a text, which may overlap: (parts, ``PERMUTATIONS``).

    A part is (start, end) in ``shingles``, not empty.
    """
    found = np.empty((len(parts), PERMUTATIONS), np.uint32)
    if not parts:
        return found
    # `reduceat` takes from each edge to the next, so only every second answer is a part's; a last
    # part's end must exist.
    edges = np.array(parts, np.intp).ravel()
    padded = np.append(shingles, np.uint64(0))
    for number, (factor, offset) in enumerate(zip(_FACTORS, _OFFSETS, strict=True)):
        least = np.minimum.reduceat(padded * factor + offset, edges)[::2]
        found[:, number] = least >> np.uint64(32)
    return found
