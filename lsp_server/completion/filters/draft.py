"""An answer on its way through the filters, and what a filter is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..confidence import Scored
from ..extent import Extent
from ..languages import PYTHON, Language, language_of
from ..lines import line_before, rest_of_line
from ..reasons import Reason


@dataclass(frozen=True, slots=True)
class Draft:
    """An answer and where it would stand.

    ``path`` is the document's, and tells its language. ``finished`` is false where the last line
    is not whole: the token limit cut it off, or it is still being written. ``stops`` are the
    family's control tokens. ``replace`` counts the characters right of the cursor, on its line,
    that the answer takes the place of. ``scores`` are the pieces of the unfiltered answer, empty
    where the engine does not tell. No more is shown than has at least the natural-log probability
    ``least_confidence``; None shows all. ``automatic`` is false where the user asked by hand.
    """

    text: str
    before: str
    after: str
    extent: Extent
    max_lines: int
    path: str = ""
    finished: bool = True
    stops: Sequence[str] = ()
    replace: int = 0
    scores: Sequence[Scored] = ()
    least_confidence: float | None = None
    automatic: bool = True

    @property
    def line(self) -> str:
        """The cursor's line up to the cursor."""
        return line_before(self.before)

    @property
    def rest(self) -> str:
        """The cursor's line from the cursor on."""
        return rest_of_line(self.after)

    @property
    def language(self) -> Language:
        return language_of(self.path, self.before)

    @property
    def is_python(self) -> bool:
        return self.language is PYTHON


Filter = Callable[[Draft], Draft | Reason]
"""A filter may only shorten an answer at its end: what is left keeps its place in ``scores``."""
