"""A run stands still while somebody types, on battery power and when memory is short."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from lsp_server.store.trainer_state import read_trainer, write_trainer
from lsp_server.trainer_messages import Cancel, Pause, Resume, Train, Typing
from training.watching import current_run, running
from training.watching.machine import MachineState, read_machine
from training.watching.processes import holder_of

from .conftest import AT_ONCE, MANUAL, Bench, until

HOLDER = """
import sys, time
from pathlib import Path
from lsp_server.store.locks import RunLock
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore

with RunLock(RepositoryStore.of(StorePaths(Path(sys.argv[1])), Path(sys.argv[2]))):
    print("holds", flush=True)
    time.sleep(600)
"""


def stopped(process: psutil.Process) -> bool:
    return process.status() == psutil.STATUS_STOPPED


def stood_still(bench: Bench) -> bool:
    beat = bench.folder / "beat"
    before = beat.stat().st_size
    time.sleep(0.1)
    return beat.stat().st_size == before


@pytest.fixture
def other(bench: Bench) -> Iterator[psutil.Popen]:
    """A run that somebody started in a terminal."""
    command = [sys.executable, "-c", HOLDER, str(bench.paths.root), str(bench.root)]
    with psutil.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"holds\n"
        yield process
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()  # a suspended one, too


def test_typing_stops_a_run_and_all_that_it_started_at_once(bench):
    bench.begin()
    process = bench.training()
    grandchild = psutil.Process(int((bench.folder / "grandchild").read_text()))
    beat = bench.folder / "beat"
    until(beat.exists)
    took = []
    for _ in range(5):
        until(lambda: not stopped(process))
        began = time.monotonic()
        bench.tell(Typing())
        until(lambda: stopped(process) and stopped(grandchild))
        took.append(time.monotonic() - began)
        assert stood_still(bench)
    assert max(took) < 0.2, took
    told = bench.until("training")
    assert told.step == 3
    paused = next(report for report in bench.reports if report.paused_by)
    assert (paused.state, paused.paused_by) == ("paused", "typing")
    assert not stood_still(bench)


def test_a_run_goes_on_only_after_the_last_key(bench):
    bench.begin()
    process = bench.training()
    until((bench.folder / "beat").exists)
    bench.tell(Typing())
    until(lambda: stopped(process))
    for _ in range(6):  # longer than the pause that a run waits for
        time.sleep(0.1)
        bench.tell(Typing())
        assert stopped(process)
    until(lambda: not stopped(process))


def test_typing_while_paused_does_not_let_it_go_on(bench):
    bench.begin()
    process = bench.training()
    bench.tell(Pause())
    until(lambda: stopped(process))
    bench.tell(Typing())
    time.sleep(0.6)
    assert stopped(process)
    assert bench.reports[-1].paused_by == "user"


def test_battery_power_and_short_memory_hold_a_run(bench):
    bench.begin()
    process = bench.training()
    bench.state = MachineState(on_battery=True)
    until(lambda: stopped(process))
    assert bench.until("paused").paused_by == "battery"
    bench.state = MachineState(memory_low=True)
    bench.until("paused", "memory")
    assert stopped(process)
    bench.state = MachineState()
    until(lambda: not stopped(process))


def test_short_memory_that_lasts_ends_a_run_for_now(bench, monkeypatch):
    monkeypatch.setitem(current_run.LONGEST, "memory", 0.2)
    bench.begin()
    process = bench.training()
    bench.state = MachineState(memory_low=True)
    bench.until("waiting", "memory was short")
    assert not process.is_running()
    assert (bench.folder / "checkpoint").exists()
    assert bench.memory.unfinished


def test_a_cancelled_run_stays_so_though_memory_is_short(bench, monkeypatch):
    monkeypatch.setattr(running, "ROOM_SECONDS", 0.1)
    bench.begin(MANUAL)
    bench.tell(Train())
    process = bench.training()
    bench.state = MachineState(memory_low=True)
    until(lambda: stopped(process))
    bench.tell(Cancel())
    bench.until("idle", "training begins when you say so")
    assert not bench.memory.unfinished
    time.sleep(0.3)
    assert bench.starts == ["steps"]


def test_a_long_pause_ends_a_run_and_the_end_of_the_pause_takes_it_up(bench, monkeypatch):
    monkeypatch.setitem(current_run.LONGEST, "user", 0.2)
    bench.begin(msgspec.structs.replace(AT_ONCE, idle_seconds=600.0))
    bench.tell(Train())
    process = bench.training()
    bench.tell(Pause())
    until(lambda: stopped(process))
    until(lambda: not process.is_running())
    assert (bench.folder / "checkpoint").exists()
    until(lambda: bench.memory.child is None)
    assert bench.until("paused").paused_by == "user"
    assert bench.memory.unfinished
    time.sleep(0.2)
    assert bench.starts == ["steps"]
    bench.tell(Resume())
    assert bench.training().pid != process.pid


def test_long_battery_power_ends_a_run_until_there_is_mains(bench, monkeypatch):
    monkeypatch.setitem(current_run.LONGEST, "battery", 0.2)
    bench.begin()
    process = bench.training()
    bench.state = MachineState(on_battery=True)
    told = bench.until("waiting", "AC power")
    assert not process.is_running()
    assert (bench.folder / "checkpoint").exists()
    assert told.waiting_for == ("AC power",)
    bench.state = MachineState()
    until(lambda: len(bench.starts) == 2)
    bench.until("training")


def test_typing_alone_ends_no_run(bench, monkeypatch):
    for reason in current_run.LONGEST:
        monkeypatch.setitem(current_run.LONGEST, reason, 0.2)
    bench.begin()
    process = bench.training()
    for _ in range(6):
        bench.tell(Typing())
        time.sleep(0.1)
    until(lambda: not stopped(process))
    assert bench.starts == ["steps"]


def test_the_machine_can_be_read():
    state = read_machine()
    assert isinstance(state.memory_low, bool)
    assert isinstance(state.on_battery, bool)


def test_a_run_of_somebody_else_is_seen_and_held_and_let_go(bench, other):
    bench.begin()
    bench.until("training", f"process {other.pid}")
    assert bench.starts == []
    bench.tell(Typing())
    until(lambda: stopped(other))
    bench.until("paused")
    until(lambda: not stopped(other))
    bench.tell(Typing())
    until(lambda: stopped(other))
    bench.end()
    assert not stopped(other)
    assert other.poll() is None


def test_what_holds_our_own_runs_does_not_hold_somebody_elses(bench, other):
    bench.begin()
    bench.until("training", f"process {other.pid}")
    bench.state = MachineState(memory_low=True, on_battery=True)
    bench.tell(Pause())
    until(lambda: bench.memory.paused)
    time.sleep(0.2)
    assert not stopped(other)
    assert bench.reports[-1].state == "training"
    bench.tell(Typing())
    until(lambda: stopped(other))
    until(lambda: not stopped(other))


def test_one_that_is_held_on_its_way_out_is_let_go(bench, other):
    bench.begin()
    bench.until("training", f"process {other.pid}")
    bench.tell(Typing())
    until(lambda: stopped(other))
    bench.store.train_lock.with_name("train.json").unlink()  # as it does, before it ends
    until(lambda: not stopped(other))


def test_when_it_ends_ours_may_begin(bench, other):
    bench.begin()
    bench.until("training", f"process {other.pid}")
    other.kill()
    other.wait()
    process = bench.training()
    bench.until("training")
    assert process.pid != other.pid


def test_what_a_killed_watcher_held_is_let_go(bench, other):
    other.suspend()
    memory = read_trainer(bench.store)
    write_trainer(bench.store, type(memory)(held=holder_of(other.pid)))
    bench.begin()
    until(lambda: not stopped(other))
    assert other.poll() is None


def test_it_costs_next_to_nothing_to_wait(bench):
    bench.begin(type(AT_ONCE)(min_changes=100))
    bench.until("waiting")
    before, started = time.process_time(), time.monotonic()
    time.sleep(1.0)
    share = (time.process_time() - before) / (time.monotonic() - started)
    assert share < 0.5  # with a tick of 20 ms; it has one of 1 s
    assert os.getpid() == bench.memory.watcher.pid
    assert Path(bench.store.folder / "trainer.json").exists()
