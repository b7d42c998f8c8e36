"""What a replay needs of whoever suggests, and what it notes of every request."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from .typist import Edit


class BenchmarkError(Exception):
    """Something did not answer in time or not at all; the message says what."""


@dataclass(frozen=True, slots=True)
class Offer:
    """``text`` in place of ``replaced`` characters right of the cursor; ``id`` names it.

    ``misplaced``: it does not begin at the cursor.
    """

    text: str
    replaced: int = 0
    id: str = ""
    misplaced: bool = False


@dataclass(slots=True)
class Request:
    """One question and what became of it; times are ``time.perf_counter``, ``key`` that of the
    key that it was asked for.

    ``origin``: who answered. ``prompt_n`` and ``predicted_n`` are tokens read and written for it,
    as far as the server says. ``shown``: its answer came up on the screen as a new text.
    """

    sent: float
    answered: float | None = None
    cancelled: bool = False
    origin: Literal["cache", "model", "nobody", ""] = ""
    reason: str = ""
    prompt_n: int = 0
    predicted_n: int = 0
    shown: bool = False
    text: str = ""
    key: float = 0.0


@dataclass(slots=True)
class Usage:
    """What a server has used so far: CPU seconds of all its processes, tokens that it computed."""

    cpu: float = 0.0
    engine_cpu: float = 0.0
    prompt_n: float = 0.0
    predicted_n: float = 0.0
    memory: float = 0.0

    def since(self, earlier: "Usage") -> "Usage":
        """What was used in between; memory (MiB) is not a difference."""
        return Usage(
            self.cpu - earlier.cpu,
            self.engine_cpu - earlier.engine_cpu,
            self.prompt_n - earlier.prompt_n,
            self.predicted_n - earlier.predicted_n,
            self.memory,
        )


@dataclass(frozen=True, slots=True)
class Document:
    """An open file: its path below the root, and its text now."""

    path: str
    text: str = field(repr=False)


class Suggester(Protocol):
    """A server and its client. ``suggest`` is cancelled when a newer key makes it pointless."""

    async def start(self, root: Path, documents: dict[str, str]) -> None:
        """Be ready to answer; the documents are open, the first one is looked at."""

    def changed(self, before: Document, edit: Edit) -> None:
        """A key was pressed."""

    async def suggest(self, document: Document, cursor: int, request: Request) -> Offer | None:
        """Ask for what comes at the cursor; ``request`` is filled in."""

    def accepted(self, offer: Offer) -> None:
        """Its text was taken whole."""

    def switched(self, old: tuple[Document, int], new: tuple[Document, int]) -> None:
        """Another tab is looked at, with its cursor there."""

    def rests(self, document: Document, cursor: int) -> None:
        """The cursor was put there; the next key comes after a look at the place."""

    def saved(self, document: Document, cursor: int) -> None:
        """The file lies on disk as it is here."""

    async def usage(self) -> Usage:
        """What was used since the start."""

    async def close(self) -> None:
        """End every process."""
