"""How the last requests ended, for whoever asks why; kept in memory alone, for it holds source."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..completion.query import Completion
from ..completion.reasons import Reason
from ..completion.trace import Trace
from ..documents import locate
from ..edits import Request
from ..prompt.assemble import Prompt, Snippet
from ..prompt.formats import Special
from ..protocol import Explanation, Segment

KEPT = 20


@dataclass(frozen=True, slots=True)
class _Ended:
    uri: str
    path: str | None
    roots: tuple[str, ...]
    line: int
    completion: Completion

    @property
    def place(self) -> str:
        """The document's path within its folder, or what there is of it."""
        path, _ = locate(self.path, self.roots)
        return path or self.uri


class Explanations:
    """The last requests of one session, oldest first."""

    def __init__(self) -> None:
        self._ended: deque[_Ended] = deque(maxlen=KEPT)

    def note(self, request: Request, completion: Completion) -> None:
        """A request has ended; one that a newer one took the place of tells nobody anything."""
        if completion.reason is Reason.SUPERSEDED:
            return
        line = request.position.line + 1
        self._ended.append(_Ended(request.uri, request.path, request.roots, line, completion))

    def last(self, uri: str = "") -> Explanation | None:
        """How the last request in a document ended, in a folder, or ("") in any."""
        folder = uri.rstrip("/") + "/"
        for ended in reversed(self._ended):
            if not uri or ended.uri == uri or ended.uri.startswith(folder):
                return explain(ended.completion, ended.place, ended.line)
        return None


def explain(completion: Completion, path: str, line: int) -> Explanation:
    """A completion as the protocol explains it; ``line`` counts from 1."""
    told = completion.trace or Trace()
    reason, error = completion.reason, completion.error
    return Explanation(
        reason=str(reason),
        sentence=f"{reason.sentence} ({error})" if error else reason.sentence,
        path=path,
        line=line,
        answered_by=_answered_by(completion),
        model=completion.model,
        adapter=completion.adapter,
        timings=completion.timings,
        segments=segments_of(told.prompt) if told.prompt else (),
        snippets=places_of(told.snippets),
        filters=told.steps,
        raw=told.raw,
        text=completion.text,
    )


def segments_of(prompt: Prompt) -> tuple[Segment, ...]:
    """A prompt by roles, without its empty pieces; neighbours of one role are one."""
    segments: list[Segment] = []
    for piece in prompt.pieces:
        text = piece.segment.token if isinstance(piece.segment, Special) else piece.segment.text
        if segments and segments[-1].kind == piece.role != "token":
            text = segments.pop().text + text
        if text:
            segments.append(Segment(piece.role, text))
    return tuple(segments)


def places_of(snippets: Sequence[Snippet]) -> tuple[str, ...]:
    """``path:line`` of every piece of another file, the most useful file first."""
    return tuple(
        f"{snippet.path}:{line}" if line else snippet.path
        for snippet in reversed(snippets)
        for line in snippet.lines or (0,)
    )


def _answered_by(completion: Completion) -> Literal["engine", "cache", "nobody"]:
    trace = completion.trace
    if trace is None or completion.error is not None:
        return "nobody"
    if trace.cached:
        return "cache"
    return "engine" if trace.prompt is not None else "nobody"
