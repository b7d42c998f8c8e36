"""Why a keystroke got its answer, or none: every outcome has exactly one reason."""

from enum import StrEnum
from typing import Self


class Reason(StrEnum):
    """One outcome. The values are public: the status, the log and ``tenon complete`` show them.

    ``sentence`` tells a person what the reason means.
    """

    sentence: str

    def __new__(cls, value: str, sentence: str) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.sentence = sentence
        return member

    SHOWN = "shown", "The engine answered."
    CACHE = "cache", "An earlier answer still fits what was typed since."
    JOINED = "joined", "The answer that was under way fits what was typed since."

    DISABLED = "disabled", "Completions are switched off, everywhere or for this language."
    UNKNOWN_DOCUMENT = "unknown_document", "The editor never opened this document here."
    OUTSIDE = "outside", "The cursor lies past the end of the document."
    TOO_LARGE = "too_large", "The document is larger than `tenon.maxFileBytes`."
    BINARY = "binary", "The document holds NUL characters."

    MID_WORD = (
        "mid_word",
        "A word goes on right of the cursor; ask by hand to complete here all the same.",
    )
    STATEMENT_ENDED = "statement_ended", "The statement before the cursor has just been ended."
    BRACKET_CLOSED = "bracket_closed", "The line before the cursor ends in the bracket it opened."
    DELETING = "deleting", "Text was just taken away here; the next key asks again."
    PROSE = "prose", "A comment or a text is being written, in words of your own."
    BLANK_DOCUMENT = "blank_document", "There is nothing in the document to go on."

    ENGINE_STARTING = "engine_starting", "The engine is loading its model."
    ENGINE_UNAVAILABLE = (
        "engine_unavailable",
        "The engine does not run or failed; `tenon status` says why.",
    )

    FAILED = "failed", "Tenon itself failed here; its log says where."

    EMPTY = "empty", "The model has nothing to add here."
    DUPLICATE = "duplicate", "The answer repeats the text after the cursor."
    UNBALANCED = "unbalanced", "The answer closes a bracket that is not open."
    SYNTAX = "syntax", "Python could not read the code with the answer in it."
    NOISE = "noise", "The answer is a comment that nobody began."
    UNSURE = "unsure", "The model itself thought its answer unlikely."
    FILTERED_REPETITION = "filtered_repetition", "The answer goes round in a circle."

    CANCELLED = "cancelled", "The editor withdrew its request."
    SUPERSEDED = "superseded", "A newer request for the same document took its place."

    @property
    def answered(self) -> bool:
        """Whether an answer came with it."""
        return self in {Reason.SHOWN, Reason.CACHE, Reason.JOINED}
