"""What a completion needs of an engine, whichever engine that is."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..prompt.assemble import Prompt
from ..prompt.formats import FimFormat
from .confidence import Scored


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What the engine serves and how fast it is.

    ``context`` is the longest prompt plus answer of one request, in tokens; speeds are tokens per
    second as measured on this machine (0 where the engine does not say); ``adapters`` are the
    names it has loaded. ``size`` (bytes) and ``sha256`` are the model file's. ``least_confidence``
    is the natural-log probability below which its answers were measured to be seldom right, None
    where nobody measured.
    """

    model: str
    fim: FimFormat
    context: int
    prefill_speed: float = 0.0
    decode_speed: float = 0.0
    adapters: tuple[str, ...] = ()
    size: int = 0
    sha256: str = ""
    least_confidence: float | None = None


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One prompt to continue: greedily, or drawn at a ``temperature``, repeatable by its ``seed``.

    ``model`` is the one whose format the prompt is in, should the engine serve another by now;
    "" is whichever serves. With an ``adapter`` that is named instead.
    ``cache_key`` names the sequence that this request belongs to (a file), so that its KV cache is
    found again. ``heal`` asks for token healing at the prompt's end. With ``one_line`` no more is
    needed than up to the newline behind the answer's first text; an engine may write on. Lower
    ``priority`` goes first; 0 is a user who waits.
    """

    prompt: Prompt
    max_tokens: int
    stop: tuple[str, ...] = ()
    model: str = ""
    adapter: str | None = None
    cache_key: str = ""
    heal: bool = True
    one_line: bool = False
    priority: int = 0
    temperature: float = 0.0
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of the answer; the last one says why it ended and what it cost.

    ``scores`` are its tokens, placed in this text, as far as the engine tells; the very last one is
    the token by which the model ended its answer itself, if it did. ``timings`` are milliseconds
    and token counts by name: ``queue_ms, prompt_n, prompt_ms, cache_n, predicted_n, predicted_ms``.
    """

    text: str
    scores: tuple[Scored, ...] = ()
    finish_reason: str | None = None
    timings: dict[str, float] = field(default_factory=dict)


class CompletionEngine(Protocol):
    """An engine over any transport. Every method raises ``EngineError``."""

    async def info(self) -> EngineInfo:
        """What is served, as far as is known: free to ask at every keystroke.

        A request to a model that is no longer served fails, and is asked anew.
        """
        ...

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text on its own, control tokens off."""
        ...

    def generate(self, request: GenerationRequest) -> AsyncIterator[Chunk]:
        """Stream the answer; closing the iterator frees the engine."""
        ...
