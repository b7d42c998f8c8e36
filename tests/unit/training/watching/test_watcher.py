"""What the watcher does by the clock, and what by messages."""

import time

from training.watching import watcher
from training.watching.bursts import Changed

from .conftest import MANUAL, Bench, until


def test_of_a_flood_of_changes_the_machine_is_not_looked_at_for_each(
    bench: Bench, monkeypatch
) -> None:
    monkeypatch.setattr(watcher, "TICK_SECONDS", 0.2)
    bench.begin(MANUAL)
    until(lambda: bench.memory.pending, bench.reports)
    before, began = bench.looks, time.monotonic()
    for number in range(1_000):
        bench.tell(Changed(frozenset((f"part{number}/",))))
        time.sleep(0.0005)  # one by one, as the system tells of them
    ticks = (time.monotonic() - began) / 0.2
    assert bench.looks - before <= 2 * ticks + 5
