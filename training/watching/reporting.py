"""What is said of a trainer: pure, from what is known to a report for the editor."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from lsp_server.store.trainer_state import TrainerMemory
from lsp_server.store.training_extra import to_install
from lsp_server.trainer_messages import Schedule, TrainerReport

from .current_run import PAUSED
from .retrying import Retry

OFF = "training is off; `tenon.training` turns it on"
OFF_BY_TEAM = (
    "training is off here; `mode` under [training] in this repository's tenon.toml says so"
)


@dataclass(frozen=True, slots=True)
class Known:
    """``memory`` is of the runs before. ``trouble`` is what keeps the trainer from working,
    ``notice`` what it works in spite of; ``missing`` names packages that training needs;
    ``waiting_for`` are the triggers' sentences; ``counted`` is whether what is pending was counted
    since the watcher began; ``team_is_off`` is whether tenon.toml has training off.
    """

    root: str
    schedule: Schedule
    memory: TrainerMemory
    waiting_for: tuple[str, ...]
    retry: Retry
    now: float
    trouble: str = ""
    notice: str = ""
    missing: Sequence[str] = ()
    counted: bool = True
    team_is_off: bool = False
    run: TrainerReport | None = None


def report(known: Known) -> TrainerReport:
    """One state and one sentence."""
    found = _of(known)
    message = f"{found.message}; {known.notice}" if known.notice else found.message
    return msgspec.structs.replace(
        found,
        message=message,
        root=known.root,
        pending=known.memory.pending,
        manual=known.schedule.mode == "manual",
        last=known.memory.last,
    )


def _of(known: Known) -> TrainerReport:
    if known.run is not None:
        return known.run
    if known.trouble:
        return TrainerReport("error", known.trouble)
    if known.schedule.mode == "off":
        return TrainerReport("off", OFF_BY_TEAM if known.team_is_off else OFF)
    if known.missing:
        return TrainerReport("unavailable", to_install(known.missing))
    if known.memory.paused:
        return TrainerReport("paused", PAUSED["user"], paused_by="user")
    return _between_runs(known)


def _between_runs(known: Known) -> TrainerReport:
    if not known.counted:
        return TrainerReport("idle", "looking for what is new")
    new = _new(known.memory.pending)
    retry = known.retry
    if retry.reason and retry.waits(known.now):
        again = "until something changes" if retry.until is None else "and is tried again soon"
        if retry.failures:
            return TrainerReport("error", f"{retry.reason}; training waits {again}")
        return TrainerReport("waiting", f"{new}; {retry.reason}", waiting_for=(retry.reason,))
    if known.schedule.mode == "manual":
        left = "an interrupted run goes on" if known.memory.unfinished else "training begins"
        return TrainerReport("idle", f"{new}; {left} when you say so")
    if not known.memory.pending and not known.memory.unfinished:
        return TrainerReport("idle", "nothing is new since the last run")
    waits = f"waits for {'; '.join(known.waiting_for)}" if known.waiting_for else "training begins"
    return TrainerReport("waiting", f"{new}; {waits}", waiting_for=known.waiting_for)


def _new(pending: int) -> str:
    if pending == 1:
        return "1 function is new or changed"
    return f"{pending:,} functions are new or changed"
