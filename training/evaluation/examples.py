"""One place to fill in, whichever data set it comes from; knows no model and no file format."""

from dataclasses import dataclass

from lsp_server.prompt.assemble import Snippet


@dataclass(frozen=True, slots=True)
class FimExample:
    """A text with a hole, and what stood there.

    ``seam`` is what the data set cut off on both sides of the hole (line breaks, where it took out
    a line and left them to nobody): ``middle`` has it, and an answer that lacks it is not
    thereby wrong. ``tests`` is a program that fails if the completed text is wrong; it is run
    behind that text. ``function`` means: only the rest of a function is wanted, from its head
    alone, and the answer ends where the function does. ``followed_by`` is the white space behind
    the middle where more stood in the hole: no end is due there. ``path`` and ``repository`` are as
    in :class:`lsp_server.prompt.assemble.Source`; ``context`` is what the data set itself found in
    other files.
    """

    id: str
    prefix: str
    suffix: str
    middle: str
    language: str = "python"
    path: str = ""
    repository: str = ""
    context: tuple[Snippet, ...] = ()
    seam: str = ""
    tests: str = ""
    function: bool = False
    followed_by: str = ""

    @property
    def file(self) -> str:
        """What it is not independent of; an example without a path is alone."""
        return self.path or self.id

    def completed(self, answer: str) -> str:
        """The whole text with an answer in the hole."""
        if not answer.startswith(self.seam):
            answer = self.seam + answer
        if not answer.endswith(self.seam):
            answer += self.seam
        return self.prefix + answer + self.suffix

    def program(self, answer: str) -> str:
        """What is run to judge an answer."""
        return f"{self.completed(answer)}\n{self.tests}"
