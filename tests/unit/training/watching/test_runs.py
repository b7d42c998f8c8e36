"""When runs begin, how they end, and what is remembered of them."""

import sqlite3
import time

import msgspec
import psutil
import pytest

from lsp_server.store.trainer_state import DriftScores, read_trainer, write_trainer
from lsp_server.trainer_messages import Cancel, Pause, Resume, Schedule, Train
from tests.git_repositories import code
from training.watching import retrying, running
from training.watching.bursts import Changed
from training.watching.pairs import PairRecord
from training.watching.processes import holder_of
from training.watching.scanning import scan

from .conftest import AT_ONCE, MANUAL, until


def test_a_run_begins_by_itself_and_its_verdict_is_told(bench):
    bench.goes("promoted")
    bench.begin()
    told = bench.until("idle", "nothing is new")
    assert told.last is not None
    assert (told.last.promoted, told.last.gain, told.last.spans) == (True, 0.25, 40)
    assert (told.pending, told.manual) == (0, False)
    states = [report.state for report in bench.reports]
    assert "preparing" in states
    assert bench.starts == ["promoted"]
    assert bench.memory.finished == pytest.approx(time.time(), abs=60)
    assert not bench.memory.unfinished


def test_what_was_rejected_is_not_tried_again_until_something_is_new(bench):
    bench.goes("rejected")
    bench.begin()
    told = bench.until("idle", "nothing is new")
    assert told.last is not None
    assert not told.last.promoted
    time.sleep(0.3)
    assert bench.starts == ["rejected"]
    (bench.root / "b.py").write_text(code("three", 4))
    until(lambda: len(bench.starts) == 2)


def test_too_few_changes_wait_and_say_so(bench):
    bench.begin(Schedule(min_changes=3, idle_seconds=0))
    told = bench.until("waiting", "2 functions are new or changed")
    assert told.waiting_for == ("3 new or changed functions (2 so far)",)
    (bench.root / "b.py").write_text(code("three", 4))
    bench.until("training")


def test_a_training_is_begun_by_hand_and_cancelled(bench):
    bench.begin(MANUAL)
    assert bench.until("idle", "training begins when you say so").manual
    bench.tell(Train())
    process = bench.training()
    assert bench.reports[-1].manual
    bench.tell(Cancel())
    bench.until("idle", "training begins when you say so")
    assert not process.is_running()
    assert (bench.folder / "checkpoint").exists()
    assert not bench.memory.unfinished
    assert bench.memory.child is None


def test_a_run_that_does_not_end_is_killed(bench):
    bench.goes("stubborn")
    bench.begin(MANUAL)
    bench.tell(Train())
    process = bench.training()
    time.sleep(0.2)  # until it ignores the signal
    bench.tell(Cancel())
    bench.until("idle")
    assert not process.is_running()


def test_a_training_that_is_wanted_while_another_ends_is_not_forgotten(bench):
    bench.goes("stubborn")
    bench.begin(MANUAL)
    bench.tell(Train())
    bench.training()
    until((bench.folder / "beat").exists)
    bench.tell(Cancel())
    bench.until("training", "is being ended")
    bench.goes("promoted")
    bench.tell(Train())
    until(lambda: len(bench.starts) == 2)


def test_a_crash_is_taken_up_again_after_a_while(bench, monkeypatch):
    monkeypatch.setattr(retrying, "BACKOFF", (0.3, 0.3))
    bench.goes("crashes")
    bench.begin()
    until(lambda: len(bench.starts) == 3)
    told = bench.until("error", "until something changes")
    assert "status -9" in told.message
    assert bench.memory.unfinished
    time.sleep(0.5)
    assert len(bench.starts) == 3
    bench.goes("promoted")
    (bench.root / "b.py").write_text(code("three", 4))
    bench.until("idle", "nothing is new")


def test_an_error_is_told_in_its_own_words(bench):
    bench.goes("fails")
    bench.begin()
    bench.until("error", "there is nothing to learn; training waits and is tried again soon")


def test_another_run_on_this_machine_is_waited_for(bench, monkeypatch):
    monkeypatch.setattr("training.watching.running.Retry.refused.__defaults__", (0.5,))
    bench.goes("busy")
    bench.begin()
    told = bench.until("waiting", "shelf is being trained on this machine")
    assert told.waiting_for == ("shelf is being trained on this machine; wait",)
    bench.goes("promoted")
    bench.until("idle", "nothing is new")


def test_a_pause_outlives_the_watcher(bench):
    bench.begin()
    process = bench.training()
    bench.tell(Pause())
    until(lambda: process.status() == psutil.STATUS_STOPPED)
    bench.until("paused")
    bench.end()
    assert not process.is_running()
    bench.reports.clear()
    bench.begin()
    told = bench.until("paused")
    assert told.paused_by == "user"
    bench.tell(Resume())
    bench.until("training")


def test_a_closed_editor_ends_the_run_softly_and_the_next_one_takes_it_up(bench):
    bench.begin(msgspec.structs.replace(AT_ONCE, min_gap_minutes=60))
    bench.training()
    bench.end()
    assert (bench.folder / "checkpoint").exists()
    assert bench.memory.unfinished
    bench.goes("promoted")
    bench.begin(msgspec.structs.replace(AT_ONCE, min_gap_minutes=60))
    bench.until("idle", "nothing is new")
    assert bench.starts == ["steps", "promoted"]


def test_what_was_pending_is_still_pending(bench):
    bench.begin(Schedule(min_changes=100))
    bench.until("waiting", "2 functions")
    bench.end()
    bench.reports.clear()
    (bench.root / "b.py").write_text(code("three", 4))
    bench.begin(Schedule(min_changes=100))
    bench.until("waiting", "3 functions")
    assert bench.reports[0].pending == 2


def test_a_clock_that_was_set_back_makes_the_last_run_one_of_now(bench):
    memory = read_trainer(bench.store)
    write_trainer(bench.store, msgspec.structs.replace(memory, finished=time.time() + 1e6))
    bench.begin(msgspec.structs.replace(AT_ONCE, min_gap_minutes=30))
    told = bench.until("waiting", "30 minutes between two runs")
    assert told.waiting_for == ("30 minutes between two runs (30 left)",)


def test_training_that_is_off_is_off(bench):
    bench.begin()
    process = bench.training()
    bench.tell(Schedule(mode="off"))
    bench.until("off", "`tenon.training` turns it on")
    assert not process.is_running()
    bench.tell(Train())
    time.sleep(0.2)
    assert bench.starts == ["steps"]


def test_the_teams_rules_go_before_the_editors(bench):
    (bench.root / "tenon.toml").write_text("[training]\nmin_changes = 50\n")
    bench.begin()
    bench.until("waiting", "50 new or changed functions")
    (bench.root / "tenon.toml").write_text("[training]\nmin_changes = 1\n")
    bench.until("training")


def test_what_the_team_has_switched_off_names_its_file(bench):
    (bench.root / "tenon.toml").write_text("[training]\nmode = 'off'\n")
    bench.begin()
    told = bench.until("off", "tenon.toml")
    assert "tenon.training" not in told.message


def test_faulty_rules_are_named_and_the_editors_hold(bench):
    (bench.root / "tenon.toml").write_text("[training]\nmin_changes = 'few'\n")
    bench.begin(Schedule(min_changes=100))
    bench.until("waiting", "`training.min_changes`: expected `int`")


def test_drift_has_had_its_run_whatever_the_gate_said(bench):
    bench.goes("rejected")
    spans = tuple((f"{number}.py", 5.0) for number in range(20))
    drift = DriftScores(adapter="a", gate=1.0, spans=spans)
    bench.store.ensure()
    write_trainer(bench.store, msgspec.structs.replace(bench.memory, drift=drift))
    bench.begin(msgspec.structs.replace(AT_ONCE, min_changes=100, drift=0.1))
    until(lambda: bench.memory.last)
    assert bench.memory.drift is None
    (bench.root / "b.py").write_text(code("three", 4))
    bench.until("waiting", "100 new or changed functions (1 so far)")
    assert bench.starts == ["rejected"]


def test_what_cannot_be_written_is_tried_again_and_told_once(bench, monkeypatch, caplog):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(running, "write_trainer", full)
        bench.begin(Schedule(min_changes=100))
        bench.until("waiting", "2 functions")
        time.sleep(0.2)
    told = [it for it in caplog.records if "cannot be written" in it.message]
    assert len(told) == 1
    until(lambda: bench.memory.pending == 2, "it was never written")


def test_what_could_not_be_noted_at_the_beginning_is_not_learnt_at_the_end(bench, monkeypatch):
    with PairRecord.of(bench.store) as record:  # of a run that was killed
        scan(bench.root, bench.store, Changed())
        record.begin()

    def full(_record):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(PairRecord, "begin", full)
    bench.goes("promoted")
    bench.begin(msgspec.structs.replace(AT_ONCE, min_gap_minutes=60))
    bench.until("waiting", "between two runs")
    time.sleep(0.5)  # until the end is noted, too
    assert bench.reports[-1].pending == 2
    assert any("cannot be noted, and stays new" in it.message for it in bench.reports)
    assert bench.starts == ["promoted"]


def test_what_is_missing_is_named(bench):
    bench.missing = ("torch",)
    bench.begin()
    bench.until("unavailable", "not installed (torch)")
    assert bench.starts == []


def test_a_repository_that_goes_ends_the_run_and_may_come_back(bench):
    bench.begin()
    process = bench.training()
    bench.root.rename(bench.root.with_name("away"))
    bench.until("error", "is gone")
    until(lambda: not process.is_running())
    bench.goes("promoted")
    bench.root.with_name("away").rename(bench.root)
    bench.until("idle", "nothing is new")


def test_a_run_that_a_killed_watcher_left_suspended_is_ended_and_taken_up_again(bench, popen):
    left = popen(bench)
    left.suspend()
    memory = read_trainer(bench.store)
    write_trainer(
        bench.store,
        msgspec.structs.replace(memory, unfinished=True, child=holder_of(left.pid)),
    )
    bench.begin(msgspec.structs.replace(AT_ONCE, min_changes=100))
    until((bench.folder / "checkpoint").exists)
    until(lambda: len(bench.starts) == 2)
    bench.until("training")
