"""Should a keystroke be answered at all? A pure function of the text around the cursor."""

from .reasons import Reason


def refusal(before: str, after: str, *, automatic: bool) -> Reason | None:
    """Why not to ask the engine, or None to ask.

    ``before`` and ``after`` are the document on either side of the cursor. Only automatic requests
    are refused for taste; a user who asks by hand gets an answer wherever there is one.
    """
    if not before.strip() and not after.strip():
        return Reason.BLANK_DOCUMENT
    if not automatic:
        return None
    if after and is_word(after[0]):
        return Reason.MID_WORD
    if before.endswith(";") and not rest_of_line(after).strip():
        return Reason.STATEMENT_ENDED
    return None


def is_word(character: str) -> bool:
    """Whether an identifier may hold this character, in any language."""
    return character.isalnum() or character == "_"


def rest_of_line(after: str) -> str:
    """The text from the cursor to the end of its line."""
    return after.partition("\n")[0]


def line_before(before: str) -> str:
    """The text from the start of the cursor's line to the cursor."""
    return before.rpartition("\n")[2]
