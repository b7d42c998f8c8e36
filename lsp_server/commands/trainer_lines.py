"""What ``tenon status`` says of a repository's trainer: what it remembers, and who is at work."""

from datetime import datetime
from typing import Any

import msgspec

from ..store.locks import RunLock
from ..store.repositories import RepositoryStore
from ..store.trainer_state import read_trainer, trainer_file
from ..trainer_messages import Schedule, TrainerReport, Verdict


def trainer_facts(store: RepositoryStore) -> dict[str, Any]:
    """``trainer`` as in ``protocol.Status`` (None: it was never watched), ``schedule``, and the
    process ids ``watchedBy`` and ``trainedBy`` (None: nobody).
    """
    holder = RunLock(store).holder()
    memory = read_trainer(store)
    watcher = memory.watcher if memory.watcher and memory.watcher.is_alive else None
    report = None
    if trainer_file(store).exists():
        report = TrainerReport(
            memory.state if watcher or memory.state in {"idle", "off"} else "waiting",
            memory.message if watcher else "",
            str(store.root),
            pending=memory.pending,
            waiting_for=memory.waiting_for if watcher else (),
            paused_by="user" if memory.paused else "",
            manual=memory.schedule.mode == "manual",
            last=memory.last,
        )
    return {
        "trainer": msgspec.to_builtins(report),
        "schedule": msgspec.to_builtins(memory.schedule),
        "watchedBy": watcher.pid if watcher else None,
        "trainedBy": holder.pid if holder else None,
    }


def trainer_lines(facts: dict[str, Any]) -> list[str]:
    """Facts as lines for a person."""
    told = facts["trainer"]
    trained = [f"training   process {facts['trainedBy']}"] if facts["trainedBy"] else []
    if told is None:
        return [*trained, "trainer    never began here; an editor or `tenon watch` begins it"]
    report = msgspec.convert(told, TrainerReport)
    new = f"{report.pending:,} functions are new or changed"
    what = f"{report.state}: {report.message}" if report.message else new
    watched = f"process {facts['watchedBy']}" if facts["watchedBy"] else "nobody"
    lines = [*trained, f"trainer    {what}", f"watched    by {watched}"]
    lines.append(f"triggers   {_triggers(msgspec.convert(facts['schedule'], Schedule))}")
    if report.paused_by == "user" and report.state != "paused":
        lines.append("           paused by you; `tenon.resumeTraining` undoes it")
    if report.last:
        lines.append(f"last run   {_verdict(report.last)}")
    return lines


def _triggers(schedule: Schedule) -> str:
    if schedule.mode == "off":
        return "off"
    if schedule.mode == "manual":
        return "manual"
    words = [
        f"automatic, from {schedule.min_changes} new functions",
        f"{schedule.idle_seconds:g} s idle",
        f"{schedule.min_gap_minutes:g} min between runs",
        "also on battery" if schedule.on_battery else "on AC power",
    ]
    if schedule.drift:
        words.insert(1, f"or {schedule.drift:g} nats per token worse on new code")
    if schedule.hours:
        words.append(schedule.hours)
    return ", ".join(words)


def _verdict(last: Verdict) -> str:
    when = f"{datetime.fromtimestamp(last.finished).astimezone():%Y-%m-%d %H:%M}"
    what = "promoted" if last.promoted else "not promoted"
    return f"{when}, {what}: {last.reason} ({last.gain:+.3f} nats per token, {last.spans} spans)"
