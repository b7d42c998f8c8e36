"""The cursor's own line, and what counts as a word. Pure."""


def is_word(character: str) -> bool:
    """Whether an identifier may hold this character, in any language."""
    return character.isalnum() or character == "_"


def rest_of_line(after: str) -> str:
    """The text from the cursor to the end of its line."""
    return after.partition("\n")[0]


def line_before(before: str) -> str:
    """The text from the start of the cursor's line to the cursor."""
    return before.rpartition("\n")[2]
