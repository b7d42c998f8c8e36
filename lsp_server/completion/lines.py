"""The cursor's own line, and what counts as a word. Pure; nothing copies a whole document."""


def is_word(character: str) -> bool:
    """Whether an identifier may hold this character, in any language."""
    return character.isalnum() or character == "_"


def is_blank(text: str) -> bool:
    """Whether a text is white space, or nothing at all."""
    return not text or text.isspace()


def rest_of_line(after: str) -> str:
    """The text from the cursor to the end of its line."""
    newline = after.find("\n")
    return after if newline < 0 else after[:newline]


def line_before(before: str) -> str:
    """The text from the start of the cursor's line to the cursor."""
    return before[before.rfind("\n") + 1 :]
