"""When a run may begin by itself: each trigger is a pure function, and says what it waits for."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from lsp_server.trainer_messages import Schedule

MINUTE = 60.0
LEAST_MEMORY = 1 << 30
LEAST_MEMORY_SHARE = 0.08
"""Of the machine's memory, what must be free for training to go on: this or ``LEAST_MEMORY``."""
_HOURS = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")


@dataclass(frozen=True, slots=True)
class Facts:
    """What the triggers look at.

    ``quiet`` are seconds since the last keystroke or save, ``since_run`` since the last run's end
    (None: there was none). ``drift`` is by how much the served adapter is certainly worse on new
    code than at the gate, in nats per token (None: not known). ``unfinished`` is whether a run was
    interrupted and is to be taken up again. ``on_battery`` is whether the machine runs on battery
    power. ``minute`` is the local minute of the day.
    """

    pending: int = 0
    quiet: float = 0.0
    since_run: float | None = None
    drift: float | None = None
    unfinished: bool = False
    on_battery: bool = False
    memory_low: bool = False
    minute: int = 0


Trigger = Callable[[Facts, Schedule], str]
"""Returns what it waits for, in words; "" if a run may begin as far as it is concerned."""


def enough(facts: Facts, schedule: Schedule) -> str:
    """Enough is new, or what serves has become worse, or there is a run to take up again."""
    drifted = bool(schedule.drift) and facts.drift is not None and facts.drift >= schedule.drift
    if facts.unfinished or facts.pending >= schedule.min_changes or (drifted and facts.pending):
        return ""
    return f"{schedule.min_changes} new or changed functions ({facts.pending} so far)"


def gap(facts: Facts, schedule: Schedule) -> str:
    """The last run is long enough ago; one that did not end is none."""
    since, least = facts.since_run, schedule.min_gap_minutes * MINUTE
    if facts.unfinished or since is None or since >= least:
        return ""
    left = max(1, round((least - since) / MINUTE))
    return f"{schedule.min_gap_minutes:g} minutes between two runs ({left} left)"


def idle(facts: Facts, schedule: Schedule) -> str:
    """Nobody types or saves."""
    if facts.quiet >= schedule.idle_seconds:
        return ""
    return f"{schedule.idle_seconds:g} seconds without a keystroke or a save"


def power(facts: Facts, schedule: Schedule) -> str:
    """The machine is on AC power, or need not be."""
    return "AC power" if facts.on_battery and not schedule.on_battery else ""


def hours(facts: Facts, schedule: Schedule) -> str:
    """The time of the day is one of those that are given."""
    found = _HOURS.fullmatch(schedule.hours)
    if found is None:
        return ""
    first, second, third, fourth = map(int, found.groups())
    begin, end = 60 * first + second, 60 * third + fourth
    inside = begin <= facts.minute < end
    if begin >= end:  # over midnight; the same twice is all day
        inside = facts.minute >= begin or facts.minute < end
    return "" if inside else f"the hours {schedule.hours}"


def memory(facts: Facts, _schedule: Schedule) -> str:
    """There is room for a run."""
    return "free memory" if facts.memory_low else ""


TRIGGERS: tuple[Trigger, ...] = (enough, gap, hours, power, memory, idle)


def waiting_for(facts: Facts, schedule: Schedule) -> tuple[str, ...]:
    """All that keeps a run from beginning by itself; empty if it may begin."""
    return tuple(said for trigger in TRIGGERS if (said := trigger(facts, schedule)))


def is_memory_low(available: float, total: float) -> bool:
    """Whether so many free bytes are too few to train with."""
    return available < max(LEAST_MEMORY, LEAST_MEMORY_SHARE * total)
