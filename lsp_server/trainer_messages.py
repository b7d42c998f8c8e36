"""The one vocabulary of ``tenon serve`` and ``tenon watch``: JSON lines over the child's stdio.

The server writes orders to the watcher's standard input and reads a :class:`TrainerReport` from its
standard output after every change; logs go to standard error. An input that ends means that the
editor is gone. Names on the wire are camelCase, so that a report travels on to the editor as it is.
"""

from typing import Literal

import msgspec

TrainingMode = Literal["automatic", "manual", "off"]
TrainerState = Literal[
    "off", "unavailable", "idle", "waiting", "preparing", "training", "judging", "paused", "error"
]
PausedBy = Literal["", "user", "typing", "memory", "battery"]
HOURS = r"^$|^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$"
"""Hours of the day as :class:`Schedule` has them; nothing is any."""
NOT_PROMOTED, NOT_NOW = 3, 75
"""Exit statuses: of a run that the gate rejected, and (EX_TEMPFAIL of ``sysexits.h``) of a run or a
watcher that something stands in the way of for now."""


class Train(msgspec.Struct, frozen=True, tag="train", rename="camel"):
    """Train now, whatever the triggers say."""


class Cancel(msgspec.Struct, frozen=True, tag="cancel", rename="camel"):
    """End the run; what served before goes on serving."""


class Pause(msgspec.Struct, frozen=True, tag="pause", rename="camel"):
    """Hold the run, and begin none, until :class:`Resume`; remembered across restarts."""


class Resume(msgspec.Struct, frozen=True, tag="resume", rename="camel"):
    """Undo :class:`Pause`."""


class Typing(msgspec.Struct, frozen=True, tag="typing", rename="camel"):
    """The user has just typed: a run stands still until it has been quiet for a while."""


class Schedule(msgspec.Struct, frozen=True, tag="schedule", rename="camel"):
    """When to train, as the editor's settings say; a repository's ``tenon.toml`` goes before it.

    A run begins by itself if ``min_changes`` docstring/implementation pairs are new or changed, or
    the served adapter has become worse on new code by ``drift`` nats per token (0: never looked
    at); and only after ``idle_seconds`` without a keystroke or a save, ``min_gap_minutes`` after
    the last run, on AC power unless ``on_battery``, and within ``hours`` of the day ("22:00-06:00",
    local time; empty: any).
    """

    mode: TrainingMode = "automatic"
    min_changes: int = 20
    drift: float = 0.1
    idle_seconds: float = 30.0
    min_gap_minutes: float = 60.0
    on_battery: bool = False
    hours: str = ""


Order = Train | Cancel | Pause | Resume | Typing | Schedule


class Verdict(msgspec.Struct, frozen=True, rename="camel"):
    """How the last run ended: the gate's figures as :class:`GateSummary` has them.

    ``finished`` is in seconds since the epoch; ``reason`` is in plain words.
    """

    adapter: str
    promoted: bool
    gain: float
    lower: float | None
    spans: int
    reason: str
    finished: float


class TrainerReport(msgspec.Struct, frozen=True, rename="camel"):
    """What the trainer of one repository does now.

    ``message`` says it in a sentence, and what to do about it if something is wrong. ``pending``
    counts pairs that are new or changed since the last run, ``waiting_for`` names in words what
    keeps the next one from beginning (state ``waiting``). ``loss`` and ``held_out`` are in nats per
    token, ``eta`` in seconds; ``step`` of ``steps`` are training's or, while judging, spans.
    ``manual`` is whether nothing begins by itself, so that between runs there is none to hold back.
    """

    state: TrainerState
    message: str = ""
    root: str = ""
    step: int = 0
    steps: int = 0
    loss: float | None = None
    held_out: float | None = None
    tokens_per_second: float = 0.0
    eta: float | None = None
    pending: int = 0
    waiting_for: tuple[str, ...] = ()
    paused_by: PausedBy = ""
    manual: bool = False
    last: Verdict | None = None


def decode_order(line: bytes) -> Order:
    """Raises ``msgspec.DecodeError``."""
    order: Order = msgspec.json.decode(line, type=Order)
    return order


def decode_report(line: bytes) -> TrainerReport:
    """Raises ``msgspec.DecodeError``."""
    return msgspec.json.decode(line, type=TrainerReport)
