"""Every method and command that Tenon adds to LSP: direction, parameters, result.

Requests of the editor
    ``tenon/status`` -> :class:`Status`: what runs, and why there are no answers if there are none.
    ``tenon/adapters`` (:class:`Where`) -> :class:`AdapterList`: what was learnt of a repository.
    ``tenon/models`` -> list of :class:`ModelLine`: what can be served, and what is installed.
    ``tenon/why`` (:class:`Where`) -> :class:`Explanation` or null: how the last request ended in a
    document, or in any.
    ``tenon/report`` (:class:`Where`) -> :class:`Page`: what Tenon learnt and did, as one HTML page.
    ``tenon/diagnostics`` -> str: versions, model, health, last errors; no source text.

Notifications of the editor
    ``tenon/event`` (:class:`Event`): what became of a suggestion, as far as an editor can tell.
    ``tenon/cursor`` (:class:`Cursor`): where the cursor has come to rest; what stands there is read
    before a key is pressed.

Notifications to the editor
    ``tenon/status/didChange`` (:class:`Status`): after every change of what a user would notice;
    the list of recent outcomes alone is no change.

Commands (``workspace/executeCommand``); ``uri`` is of a document or folder, and may be left out
    ``tenon.completionAccepted`` (id): the editor runs it after a completion was accepted whole.
    ``tenon.restartEngine`` (): end this machine's engine, which other editors share, and start it
    again at once; goes on with a set-up that was stopped or waits for its next attempt. An engine
    at ``tenon.engineUrl`` is only asked again.
    ``tenon.startTraining`` (uri), ``tenon.cancelTraining`` (uri), ``tenon.pauseTraining`` (uri),
    ``tenon.resumeTraining`` (uri): what the trainer of a repository is to do.
    ``tenon.setupTraining`` (): say how large it is, ask, and install what training needs; returns
    whether all of it is installed now.
    ``tenon.activateAdapter`` (id, uri): have an adapter serve, and go on whatever is promoted;
    ``""`` is none, the base alone, ``"auto"`` leaves it to the gate again.
    ``tenon.rollbackAdapter`` (uri): back to what served before; returns its id (null: the base).
    ``tenon.chooseModel`` (name, noted): fetch a model if need be, and serve it. Refused where
    `tenon.model` names another one, unless ``noted`` is true: the editor then notes the name there
    once this is answered.

Capabilities of the editor, in LSP's ``experimental``
    ``tenonShowsTrainer``: true where it shows ``Status.trainer`` itself; it then gets no work-done
    progress of runs, which would say the same beside it.

Names on the wire are camelCase.
"""

from typing import Any, Literal

import attrs
import msgspec

from .trainer_messages import TrainerReport

STATUS = "tenon/status"
STATUS_DID_CHANGE = "tenon/status/didChange"
ADAPTERS = "tenon/adapters"
MODELS = "tenon/models"
WHY = "tenon/why"
REPORT = "tenon/report"
DIAGNOSTICS = "tenon/diagnostics"
EVENT = "tenon/event"
CURSOR = "tenon/cursor"
COMPLETION_ACCEPTED = "tenon.completionAccepted"
RESTART_ENGINE = "tenon.restartEngine"
START_TRAINING = "tenon.startTraining"
CANCEL_TRAINING = "tenon.cancelTraining"
PAUSE_TRAINING = "tenon.pauseTraining"
RESUME_TRAINING = "tenon.resumeTraining"
SETUP_TRAINING = "tenon.setupTraining"
ACTIVATE_ADAPTER = "tenon.activateAdapter"
ROLLBACK_ADAPTER = "tenon.rollbackAdapter"
CHOOSE_MODEL = "tenon.chooseModel"
SHOWS_TRAINER = "tenonShowsTrainer"

State = Literal["starting", "downloading", "ready", "disabled", "stopped", "error"]


class EngineReport(msgspec.Struct, frozen=True, rename="camel"):
    """The engine as the server sees it; speeds in tokens per second, 0 if not measured."""

    state: str
    reason: str = ""
    pid: int | None = None
    url: str = ""
    context: int = 0
    prefill_speed: float = 0.0
    decode_speed: float = 0.0
    retry_in: float | None = None


class Outcome(msgspec.Struct, frozen=True, rename="camel"):
    """How one request ended: a reason code, the milliseconds that it took, and where they went.

    ``timings`` are milliseconds (``…_ms``) and token counts (``…_n``) by stage; ``adapter`` is the
    one that answered (None: the base, or nobody).
    """

    reason: str
    ms: float = 0.0
    timings: dict[str, float] = {}
    adapter: str | None = None


class Status(msgspec.Struct, frozen=True, rename="camel"):
    """What a user may want to know about this server.

    ``message`` says in a sentence what the state means and what to do about it. ``model`` is what
    serves (empty if nothing does), ``adapter`` what is loaded for the repository that was asked
    about last (None: the base alone serves it), ``trainer`` what that repository's trainer does, or
    the one that has a run under way.
    ``recent`` are the last outcomes, newest last; ``accepted`` counts whole acceptances.
    """

    state: State
    message: str
    version: str
    engine: EngineReport
    model: str = ""
    adapter: str | None = None
    last_error: str = ""
    recent: tuple[Outcome, ...] = ()
    accepted: int = 0
    trainer: TrainerReport | None = None

    def wire(self) -> dict[str, Any]:
        """As plain JSON values."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain


class Where(msgspec.Struct, frozen=True, rename="camel"):
    """A document or folder; empty stands for the one that was asked about last."""

    uri: str = ""


class AdapterLine(msgspec.Struct, frozen=True, rename="camel"):
    """One adapter, as a list shows it.

    ``created`` is ISO 8601 in UTC, ``commit`` git's, ``gain`` and ``lower`` the gate's figures in
    nats per token (None: unknown), ``base`` the name of the model it belongs to; ``usable`` is
    whether that model serves now and the gate let it pass, ``lost`` whether a gate did not, here or
    where it, or a part of it, was made.
    """

    id: str
    created: str
    commit: str | None
    verdict: str
    gain: float
    lower: float | None
    spans: int
    reason: str
    scale: float
    rank: int
    base: str
    size: int
    active: bool = False
    pinned: bool = False
    usable: bool = True
    lost: bool = False
    tags: tuple[str, ...] = ()


class AdapterList(msgspec.Struct, frozen=True, rename="camel"):
    """The adapters of one repository, newest first; ``active`` None: the base alone serves it.

    ``manual``: a user chose that, so no promotion changes it. ``origin`` says in words whose
    adapters these are, if not the folder's own; ``trouble`` why nobody knows which one serves.
    """

    root: str
    repository: str
    active: str | None
    adapters: tuple[AdapterLine, ...]
    manual: bool = False
    origin: str = ""
    trouble: str = ""


class ModelLine(msgspec.Struct, frozen=True, rename="camel"):
    """One model of the catalogue or the store; ``size`` in bytes."""

    name: str
    size: int
    licence: str
    installed: bool
    chosen: bool
    trainable: bool
    note: str = ""


class Segment(msgspec.Struct, frozen=True, rename="camel"):
    """A piece of a prompt: ``kind`` is token, path, snippet, prefix or suffix."""

    kind: Literal["token", "path", "snippet", "prefix", "suffix"]
    text: str


class Explanation(msgspec.Struct, frozen=True, rename="camel"):
    """How one request ended, and what was sent for it.

    ``answered_by`` is engine, cache or nobody; ``filters`` are the steps that changed or dropped
    the answer, in words; ``snippets`` name the files that came along (``path:line``); ``raw`` is
    what the model wrote, ``text`` what was shown of it.
    """

    reason: str
    sentence: str
    path: str
    line: int
    answered_by: Literal["engine", "cache", "nobody"]
    model: str = ""
    adapter: str | None = None
    timings: dict[str, float] = {}
    segments: tuple[Segment, ...] = ()
    snippets: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    raw: str = ""
    text: str = ""


class Page(msgspec.Struct, frozen=True, rename="camel"):
    """A self-contained HTML page, without scripts and without remote content."""

    html: str


class Event(msgspec.Struct, frozen=True, rename="camel"):
    """What became of a suggestion; ``characters`` of it were taken, ``inferred`` is whether the
    editor was not told by its API but concluded it.
    """

    id: str
    kind: Literal["shown", "accepted", "partlyAccepted", "dismissed"]
    characters: int = 0
    inferred: bool = False


class Cursor(msgspec.Struct, frozen=True, rename="camel"):
    """A place in an open document; ``line`` and ``character`` as LSP's positions."""

    uri: str
    line: int
    character: int


@attrs.define
class PlainRequest:
    """A request of ours; its parameters stay JSON values, and may be left out."""

    id: int | str
    method: str
    jsonrpc: str
    params: Any = None


@attrs.define
class PlainNotification:
    """A notification of ours; its parameters stay JSON values, and may be left out."""

    method: str
    jsonrpc: str
    params: Any = None


MESSAGES: dict[str, type] = {
    **dict.fromkeys((STATUS, ADAPTERS, MODELS, WHY, REPORT, DIAGNOSTICS), PlainRequest),
    **dict.fromkeys((EVENT, CURSOR), PlainNotification),
}
"""What pygls is to read as a type of ours."""
