"""Whether people wrote a file, judged by its shape alone: words, lines, repetition; pure.

The limits are those of Refact's file filter. Markers such as ``@generated`` are looked for where
files are read (:mod:`lsp_server.store.files`).
"""

import numpy as np
import numpy.typing as npt

from .comments import comment_share

LONGEST_MEAN_WORD = 25
DIGITS = 0.3
"""The largest share of digits among what is no space."""
REPEATED = ((2, 0.2), (3, 0.18), (4, 0.16))
"""Words in a row, and the largest share of the characters that the most frequent run may take."""
LEAST_WORDS = 100
"""Fewer words say nothing of repetition."""
LONGEST_LINE = 1_000
MEAN_LINE = (5, 150)
COMMENTS = 0.9

Numbers = npt.NDArray[np.uint64]
_STEP = np.uint64(0x9E3779B97F4A7C15)


def refused_shape(text: str, language: str) -> str | None:
    """Why a file is not learnt from, or None; cheap reasons first."""
    words = text.split()
    if not words:
        return "no text"
    lines = [line for line in text.split("\n") if line.strip()]
    return _refused_lines(lines) or _refused_words(words) or _refused_kinds(text, language)


def _refused_lines(lines: list[str]) -> str | None:
    if max(map(len, lines)) > LONGEST_LINE:
        return "a very long line"
    mean = sum(map(len, lines)) / len(lines)
    if mean > MEAN_LINE[1]:
        return "very long lines"
    return "very short lines" if mean < MEAN_LINE[0] else None


def _refused_words(words: list[str]) -> str | None:
    characters = sum(map(len, words))
    if characters > LONGEST_MEAN_WORD * len(words):
        return "very long words"
    return "repetitive" if _repeats(words, characters) else None


def _refused_kinds(text: str, language: str) -> str | None:
    if sum(map(text.count, "0123456789")) > DIGITS * len("".join(text.split())):
        return "mostly digits"
    return "only comments" if comment_share(text, language) > COMMENTS else None


def _repeats(words: list[str], characters: int) -> bool:
    if len(words) < LEAST_WORDS:
        return False
    sizes = np.fromiter(map(len, words), np.int64, len(words))
    number_of = {word: number for number, word in enumerate(dict.fromkeys(words))}
    numbers = np.fromiter(map(number_of.__getitem__, words), np.uint64, len(words))
    return any(_most_frequent(numbers, sizes, n) > most * characters for n, most in REPEATED)


def _most_frequent(numbers: Numbers, sizes: npt.NDArray[np.int64], n: int) -> int:
    """Characters that the most frequent run of ``n`` words takes."""
    count = len(numbers) - n + 1
    runs = np.zeros(count, np.uint64)
    for offset in range(n):
        runs = runs * _STEP + numbers[offset : offset + count]
    _, places, counts = np.unique(runs, return_index=True, return_counts=True)
    most = int(counts.argmax())
    place = int(places[most])
    return int(sizes[place : place + n].sum()) * int(counts[most])
