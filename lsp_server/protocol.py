"""Every method and command that Tenon adds to LSP: direction, parameters, result.

Requests of the editor
    ``tenon/status`` -> :class:`Status`: what runs, and why there are no answers if there are none.

Notifications to the editor
    ``tenon/status/didChange`` (:class:`Status`): after every change of what a user would notice;
    the list of recent outcomes alone is no change.

Commands (``workspace/executeCommand``)
    ``tenon.completionAccepted`` (id): the editor runs it after a completion was accepted whole.
    ``tenon.restartEngine`` (): end this machine's engine, which other editors share, and start it
    again at once; goes on with a set-up that was stopped or waits for its next attempt. An engine
    at ``tenon.engineUrl`` is only asked again.

Names on the wire are camelCase.
"""

from typing import Any, Literal

import attrs
import msgspec

STATUS = "tenon/status"
STATUS_DID_CHANGE = "tenon/status/didChange"
COMPLETION_ACCEPTED = "tenon.completionAccepted"
RESTART_ENGINE = "tenon.restartEngine"

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
    about last (None: the base alone serves it). ``recent`` are the last outcomes, newest last;
    ``accepted`` counts whole acceptances.
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

    def wire(self) -> dict[str, Any]:
        """As plain JSON values."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain


@attrs.define
class StatusRequest:
    """A ``tenon/status`` message; its parameters may be left out."""

    id: int | str
    method: str
    jsonrpc: str
    params: Any = None


MESSAGES: dict[str, type] = {STATUS: StatusRequest}
"""Requests whose messages pygls is to read as a type of ours."""
