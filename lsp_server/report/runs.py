"""A training run as a report shows it: its curve, what it was given, and what it left out."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ..store.runs import Run, read_lines

MOST_REASONS = 12


@dataclass(frozen=True, slots=True)
class Step:
    """One point of a curve, in nats per token; None where it was not measured."""

    step: int
    loss: float | None
    heldout: float | None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How many files, pairs or middles were left out for one reason, and one case of it."""

    what: str
    reason: str
    count: int
    example: str


@dataclass(frozen=True, slots=True)
class RunStory:
    """``verdict`` is "" where a run did not come to one, ``stage`` the last it was in; ``material``
    is what there was to learn from, by name; ``seconds`` from its first event to its last.
    """

    id: str
    started: datetime
    verdict: str
    stage: str
    seconds: float
    steps: tuple[Step, ...]
    material: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()


def story_of(run: Run) -> RunStory:
    """What a run's files tell; what is not there, or cut short, is left out."""
    events = list(run.read_events())
    times = [float(event["time"]) for event in events if isinstance(event.get("time"), int | float)]
    by_kind = {str(event.get("kind")): event for event in events}
    return RunStory(
        id=run.id,
        started=run.started.astimezone(UTC),
        verdict=str(by_kind.get("verdict", {}).get("verdict", "")),
        stage=str(by_kind.get("stage", {}).get("stage", "")),
        seconds=max(times) - min(times) if times else 0.0,
        steps=tuple(_steps(events)),
        material=by_kind.get("material", {}),
        left_out=left_out(run),
    )


def left_out(run: Run) -> tuple[LeftOut, ...]:
    """The ledger added up, the most frequent reason first; a line's number is no reason."""
    counts: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], str] = {}
    try:
        lines = run.samples.open("rb")
    except OSError:
        return ()
    with lines:
        for entry in read_lines(lines):
            reason = str(entry.get("reason", "")).rpartition(" in line ")
            key = str(entry.get("what", "")), reason[0] or reason[2]
            counts[key] += 1
            named = f"{entry.get('path', '')} {entry.get('name', '')}".strip()
            examples.setdefault(key, named)
    most = counts.most_common(MOST_REASONS)
    return tuple(LeftOut(*key, count, examples[key]) for key, count in most)


def _steps(events: list[dict[str, Any]]) -> Iterator[Step]:
    for event in events:
        if event.get("kind") == "step" and isinstance(event.get("step"), int):
            yield Step(event["step"], _number(event.get("loss")), _number(event.get("heldout")))


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
