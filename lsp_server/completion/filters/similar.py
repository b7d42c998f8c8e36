"""When two lines count as the same, and when text goes round in a circle. Pure."""

LEAST_TELLING = 4
"""A line with fewer letters and digits (``}``, ``end``) may stand anywhere and proves nothing."""
TOLERANCE = 0.05
LONGEST_UNIT, TAIL = 80, 480
"""Longest repeated unit, and the end of an answer that is searched for it, in characters."""


def is_telling(line: str) -> bool:
    """Whether a line says enough for its repetition to be no accident."""
    return sum(character.isalnum() for character in line) >= LEAST_TELLING


def same_line(one: str, other: str) -> bool:
    """Equal but for white space at the ends and at most max(1, 5 %) edits.

    A short line must be equal: ``x1`` and ``x2`` are one edit apart.
    """
    one, other = one.strip(), other.strip()
    if one == other:
        return True
    longest = max(len(one), len(other))
    allowed = int(longest * TOLERANCE)
    return allowed > 0 and abs(len(one) - len(other)) <= allowed and _within(one, other, allowed)


def _within(one: str, other: str, allowed: int) -> bool:
    """Whether the edit distance is at most ``allowed``: Levenshtein, row by row."""
    previous = list(range(len(other) + 1))
    for row, left in enumerate(one, 1):
        current = [row]
        for column, right in enumerate(other, 1):
            substituted = previous[column - 1] + (left != right)
            current.append(min(previous[column] + 1, current[-1] + 1, substituted))
        if min(current) > allowed:
            return False
        previous = current
    return previous[-1] <= allowed


def is_periodic(text: str) -> bool:
    """Whether text ends in a unit of 3-9 characters six times, or of 10-80 four times.

    A rule made of one sign (``# ------``) is not meant.
    """
    tail = text[-TAIL:]
    for size in range(3, LONGEST_UNIT + 1):
        times = 6 if size < 10 else 4
        end = tail[-size * times :]
        if len(end) < size * times:
            continue
        unit = end[:size]
        if len(set(unit.strip())) > 1 and end == unit * times:
            return True
    return False
