"""One training example as text, before any model's tokens: what a data set yields and exports."""

from dataclasses import dataclass

from lsp_server.prompt.assemble import Snippet, Source


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """A file with a hole, what stood there, and what other files say about it.

    ``before`` and ``after`` are the whole file around the hole, with LF line ends; they are cut to
    a window when a prompt is laid out. ``kind`` is the middle's (``pair``, ``line`` ...).
    ``weight`` is what the answer counts in the loss. ``rejected`` is an answer that a user turned
    down at this place, "" where there is none. ``id`` is unique within a data set.
    """

    id: str
    kind: str
    path: str
    repository: str
    language: str
    before: str
    after: str
    middle: str
    snippets: tuple[Snippet, ...] = ()
    weight: float = 1.0
    rejected: str = ""

    @property
    def source(self) -> Source:
        """What :func:`lsp_server.prompt.assemble.assemble` is asked with."""
        return Source(self.before, self.after, self.path, self.repository, self.snippets)
