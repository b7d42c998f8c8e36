"""What the watcher does by the clock, and what by messages."""

import shutil
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from lsp_server.trainer_messages import Schedule, Typing
from training.watching import following, looking, watcher
from training.watching.bursts import Burst, Changed
from training.watching.inbox import Inbox

from .conftest import AT_ONCE, MANUAL, Bench, until

TICK = 0.2


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Every wait for messages, in seconds: one that never waits spins."""
    monkeypatch.setattr(watcher, "TICK_SECONDS", TICK)
    monkeypatch.setattr(following, "Burst", partial(Burst, quiet_seconds=0.05))
    asked: list[float] = []
    take = Inbox.take

    def noted(inbox: Inbox, seconds: float) -> list[object]:
        asked.append(seconds)
        return take(inbox, seconds)

    monkeypatch.setattr(Inbox, "take", noted)
    return asked


def in_a_second(waits: list[float]) -> int:
    before = len(waits)
    time.sleep(1.0)
    return len(waits) - before


@pytest.fixture
def slow_count(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Counts last until this is called."""
    over, scan = threading.Event(), looking.scan

    def slowly(*arguments: object) -> int:
        over.wait(20)
        return scan(*arguments)

    monkeypatch.setattr(looking, "scan", slowly)
    monkeypatch.setattr(looking, "is_small", lambda *_: True)
    return over.set


def test_a_change_while_a_count_goes_on_waits_for_it_at_rest(
    bench: Bench, waits: list[float], slow_count: Callable[[], None]
) -> None:
    bench.begin(MANUAL)
    bench.until("idle")
    bench.tell(Changed(frozenset(("",))))
    time.sleep(0.2)  # until the burst is over, and nobody takes it
    assert in_a_second(waits) <= 8
    (bench.root / "b.py").write_text("")
    slow_count()
    until(lambda: bench.memory.pending == 2, "nothing was counted")


def test_a_root_that_is_gone_is_waited_for_at_rest(bench: Bench, waits: list[float]) -> None:
    bench.begin(MANUAL)
    until(lambda: bench.memory.pending, "nothing was counted")
    shutil.rmtree(bench.root)
    bench.until("error", "is gone")
    bench.tell(Changed(frozenset(("",))))
    time.sleep(0.2)
    assert in_a_second(waits) <= 8


def test_training_that_is_switched_off_after_a_change_rests(
    bench: Bench, waits: list[float]
) -> None:
    bench.begin(MANUAL)
    until(lambda: bench.memory.pending, "nothing was counted")
    bench.tell(Changed(frozenset(("",))))
    bench.tell(Schedule(mode="off"))
    bench.until("off")
    assert in_a_second(waits) <= 8


def test_whoever_leaves_waits_for_its_run_at_rest(bench: Bench, waits: list[float]) -> None:
    bench.goes("stubborn")  # it takes a second to end
    bench.begin(AT_ONCE)
    bench.training()
    until((bench.folder / "beat").exists)
    bench.tell(Changed(frozenset(("",))))
    before = len(waits)
    bench.end()
    assert len(waits) - before <= 20


def test_a_key_in_another_window_stops_a_run(bench: Bench, waits: list[float]) -> None:
    bench.begin(AT_ONCE)
    bench.training()
    until((bench.folder / "beat").exists)
    assert in_a_second(waits) <= 15  # glances, between ticks
    took = []
    for _ in range(3):
        bench.until("training")
        began = time.monotonic()
        bench.types_elsewhere()
        bench.until("paused")
        took.append(time.monotonic() - began)
    assert min(took) < 0.2, took
    assert bench.reports[-1].paused_by == "typing"


def test_without_a_run_keys_in_other_windows_keep_one_from_beginning(bench: Bench) -> None:
    bench.begin(Schedule(min_changes=1, idle_seconds=0.5, min_gap_minutes=0, drift=0))
    until(lambda: bench.memory.pending)
    for _ in range(15):
        bench.types_elsewhere()
        time.sleep(0.1)
    assert bench.starts == []
    bench.training()


def test_keys_cost_a_watcher_without_a_run_nothing_more(bench: Bench, waits: list[float]) -> None:
    bench.begin(MANUAL)
    until(lambda: bench.memory.pending, "nothing was counted")
    bench.tell(Typing())
    assert in_a_second(waits) <= 8


def test_of_a_flood_of_changes_the_machine_is_not_looked_at_for_each(
    bench: Bench, monkeypatch
) -> None:
    monkeypatch.setattr(watcher, "TICK_SECONDS", TICK)
    bench.begin(MANUAL)
    until(lambda: bench.memory.pending, bench.reports)
    before, began = bench.looks, time.monotonic()
    for number in range(1_000):
        bench.tell(Changed(frozenset((f"part{number}/",))))
        time.sleep(0.0005)  # one by one, as the system tells of them
    ticks = (time.monotonic() - began) / TICK
    assert bench.looks - before <= 2 * ticks + 5
