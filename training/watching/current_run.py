"""The run that goes on: how far it is, what holds it, and how it is brought to an end."""

import math
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from lsp_server.store.locks import Holder
from lsp_server.trainer_messages import PausedBy, TrainerReport, TrainerState

from . import processes

ENDING_SECONDS = 20.0
"""For a run to save itself, before it is ended at once."""
_ORDER: tuple[PausedBy, ...] = ("user", "battery", "memory", "typing")
"""What holds a run, the longest first: that is what a user is told."""
LONGEST: dict[PausedBy, float] = {"user": 900.0, "battery": 900.0, "memory": 120.0}
"""Seconds for which a run stands still at most: for so long it keeps its memory, and the lock that
lets no other repository be trained. Then it ends for now, and goes on from its checkpoint later."""
PAUSED = {
    "user": "training is paused; resume it to go on",
    "battery": "training stands still on battery power",
    "memory": "training stands still, for memory is short",
    "typing": "training stands still while you type",
}


class Process(Protocol):
    """What trains."""

    holder: Holder

    def suspend(self) -> None: ...

    def resume(self) -> None: ...

    def terminate(self) -> None: ...

    def kill(self) -> None: ...


class OtherProcess:
    """A run that somebody else started: it is held while the user types, and ended only if the
    user says so.
    """

    def __init__(self, holder: Holder) -> None:
        self.holder = holder

    def suspend(self) -> None:
        processes.suspend(self.holder)

    def resume(self) -> None:
        processes.resume(self.holder)

    def terminate(self) -> None:
        processes.end(self.holder)

    def kill(self) -> None:
        processes.kill(self.holder)


@dataclass(slots=True)
class CurrentRun:
    """``own`` is whether the watcher started it; ``forced`` is whether the user asked for it.

    Times are a monotonic clock's seconds; ``cancelled`` is whether the user ended it,
    ``given_up`` what it stood still for when it was ended for that.
    """

    process: Process
    own: bool
    forced: bool = False
    cancelled: bool = False
    verdict: dict[str, Any] | None = None
    error: str = ""
    given_up: PausedBy = ""
    _held: dict[PausedBy, float] = field(default_factory=dict)
    _deadline: float | None = None
    _report: TrainerReport = field(default_factory=lambda: TrainerReport("preparing"))

    @property
    def held_by(self) -> PausedBy:
        """What holds it; "" if nothing does."""
        return next((it for it in _ORDER if it in self._held), "")

    @property
    def ending(self) -> bool:
        """Whether it was asked to end."""
        return self._deadline is not None

    def hold(self, by: PausedBy, now: float) -> None:
        """Suspend it, unless it is about to end."""
        if self.ending or by in self._held:
            return
        if not self._held:
            self.process.suspend()
        self._held[by] = now

    def release(self, by: PausedBy) -> None:
        """Let it go on, if nothing else holds it."""
        if self._held.pop(by, None) is not None and not self._held:
            self.process.resume()

    def set(self, by: PausedBy, now: float, *, held: bool) -> None:
        """Hold or release it."""
        if held:
            self.hold(by, now)
        else:
            self.release(by)

    def let_go(self) -> None:
        """Let it go on, whatever holds it: nobody here will do so later."""
        for by in tuple(self._held):
            self.release(by)

    def give_up(self, now: float) -> None:
        """End it for now, if it has stood still for too long."""
        for by, since in self._held.items():
            if now - since >= LONGEST.get(by, math.inf):
                self.given_up = by
                self.end(now)
                return

    def end(self, now: float) -> None:
        """Have it save itself and end; it has :data:`ENDING_SECONDS` for that."""
        if not self.ending:
            self._held.clear()
            self._deadline = now + ENDING_SECONDS
            self.process.terminate()

    def insist(self, now: float) -> None:
        """End it at once if its time is up."""
        if self._deadline is not None and now >= self._deadline:
            self._deadline = now + ENDING_SECONDS
            self.process.kill()

    def said(self, event: dict[str, Any]) -> None:
        """Take in one line of its standard output; what is not understood is passed over."""
        match event:
            case {"kind": "stage", "stage": str(stage)}:
                self._change("preparing", message=stage, step=0, steps=0, eta=None)
            case {"kind": "step", "step": int(step), "steps": int(steps)}:
                self._change(
                    "training",
                    message="training",
                    step=step,
                    steps=steps,
                    loss=_figure(event.get("loss"), self._report.loss),
                    held_out=_figure(event.get("heldout"), self._report.held_out),
                    tokens_per_second=_figure(event.get("tokens_per_second"), None) or 0.0,
                    eta=_figure(event.get("eta"), None),
                )
            case {"kind": "judging", "step": str(step), "done": int(done), "total": int(total)}:
                message = f"judging on {step}"
                self._change("judging", message=message, step=done, steps=total, eta=None)
            case {"kind": "outcome", "adapter": str(), "promoted": bool()}:
                self.verdict = event
            case {"kind": "error", "message": str(message)}:
                self.error = message

    def is_of_another(self) -> None:
        """Nobody hears what it says: all that is known is that it trains."""
        pid = self.process.holder.pid
        self._change("training", message=f"it is being trained by process {pid}")

    def report(self) -> TrainerReport:
        """How far it is, without what the watcher knows besides."""
        if self.ending:
            return msgspec.structs.replace(self._report, message="training is being ended")
        if held := self.held_by:
            return msgspec.structs.replace(
                self._report, state="paused", message=PAUSED[held], paused_by=held
            )
        return self._report

    def _change(self, state: TrainerState, **fields: Any) -> None:
        self._report = msgspec.structs.replace(self._report, state=state, **fields)


def _figure(value: object, otherwise: float | None) -> float | None:
    """A number that JSON has; what is none (NaN before the first step) changes nothing."""
    return float(value) if isinstance(value, int | float) else otherwise
