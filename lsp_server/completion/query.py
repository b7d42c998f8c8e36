"""What a completion is asked with, and what is answered: the words of the provider's callers."""

from dataclasses import dataclass, field, replace

from ..errors import EngineError
from ..prompt.assemble import Source
from ..prompt.snippets import SnippetSource
from .engine import EngineInfo
from .extent import Multiline
from .reasons import Reason
from .trace import Trace


@dataclass(frozen=True, slots=True)
class ProviderOptions:
    """What a user may set about answers; milliseconds are per keystroke."""

    latency_target_ms: float = 600.0
    debounce_ms: float = 0.0
    max_lines: int = 24
    multiline: Multiline = "auto"


@dataclass(frozen=True, slots=True)
class Query:
    """One request of an editor: where, and whether the user asked by hand.

    ``adapter`` is the name under which the engine has loaded one; should the engine not know it,
    the base alone answers; ``scale`` is the one that it is loaded with, ``least_confidence`` what
    was measured for it (None: the model's own holds). ``index`` is where other files of the
    repository are looked up; None where there is none. ``deleting``: the last edit took text away
    at this cursor. ``accepted`` is the text of a suggestion that the last edit inserted before it
    ("": none was).
    """

    uri: str
    source: Source
    automatic: bool = True
    adapter: str | None = None
    index: SnippetSource | None = None
    scale: float = 1.0
    least_confidence: float | None = None
    deleting: bool = False
    accepted: str = ""

    def least(self, info: EngineInfo) -> float | None:
        """How sure the model must be of what is shown; None shows all, as who asks by hand wants.

        What was measured for an adapter holds while it answers, and no other does.
        """
        if not self.automatic:
            return None
        if self.adapter is not None and self.least_confidence is not None:
            return self.least_confidence
        return info.least_confidence


@dataclass(frozen=True, slots=True)
class Completion:
    """The answer to one query, or why there is none.

    ``text`` has LF line ends and takes the place of ``replace`` characters right of the cursor.
    ``timings`` are milliseconds by stage (``snippets_ms, window_ms, first_ms, engine_ms,
    total_ms``) beside the engine's own figures. ``error`` is set where the engine failed.
    ``trace`` is what happened on the way, where anything did.
    """

    text: str
    reason: Reason
    model: str = ""
    adapter: str | None = None
    timings: dict[str, float] = field(default_factory=dict)
    replace: int = 0
    error: EngineError | None = None
    trace: Trace | None = field(default=None, compare=False, repr=False)

    def accepted_by(self, query: Query) -> Query:
        """What an editor will ask that asked ``query`` and has inserted this since."""
        before = query.source.before + self.text
        after = query.source.after[self.replace :]
        return replace(
            query,
            source=replace(query.source, before=before, after=after),
            automatic=True,
            adapter=self.adapter,
            deleting=False,
            accepted=self.text,
        )
