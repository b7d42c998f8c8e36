"""When a human's next key comes: log-normal gaps by what is typed. Pure, from a random generator.

The medians are of a programmer who types some 55 words a minute: letters inside a word are fast,
what needs Shift is slower, and before a line or a word there is sometimes a thought. Figures of the
size that keystroke studies report (Dhakal et al. 2018: medians of 120-200 ms between keys, long
tails).
"""

import math
from random import Random

LETTER, WORD, DIGIT, SYMBOL, ENTER = 120.0, 165.0, 190.0, 230.0, 280.0
"""Median milliseconds before a key, by what it types: inside a word, at its beginning, …"""
BACKSPACE, NOTICE, JUMP, SWITCH = 140.0, 320.0, 900.0, 1300.0
"""Before a backspace, the first of them, a jump of the cursor, another tab."""
SPREAD = 0.38
"""Standard deviation of the logarithm."""
THOUGHT, THOUGHT_SPREAD = 850.0, 0.5
THOUGHT_AT_LINE, THOUGHT_AT_WORD = 0.45, 0.06
"""How often a line, and a word, waits for a thought."""
LONGEST = 2500.0


def gap(median: float, random: Random, spread: float = SPREAD) -> float:
    """One gap in milliseconds around a median, rounded so that it prints the same everywhere."""
    return round(min(random.lognormvariate(math.log(median), spread), LONGEST), 1)


def before(text: str, at: int, random: Random) -> float:
    """Milliseconds before the key that types ``text[at]``."""
    character, previous = text[at], text[at - 1 : at]
    starts_line = previous in {"", "\n"}
    starts_word = character.isalnum() and not (previous.isalnum() or previous == "_")
    if character == "\n":
        median = ENTER
    elif character.isdigit():
        median = DIGIT
    elif character.isalpha() or character == "_":
        median = WORD if starts_word else LETTER
    elif character == " ":
        median = LETTER
    else:
        median = SYMBOL
    wait = gap(median, random)
    thinks = random.random()
    if thinks < (THOUGHT_AT_LINE if starts_line else THOUGHT_AT_WORD if starts_word else 0.0):
        wait += gap(THOUGHT, random, THOUGHT_SPREAD)
    return round(min(wait, LONGEST), 1)
