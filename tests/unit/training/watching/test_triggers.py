import pytest

from lsp_server.trainer_messages import Schedule
from training.watching.triggers import Facts, is_memory_low, waiting_for

READY = Facts(pending=20, quiet=30, since_run=None)
HOUR = 3600.0


def facts(**changes: object) -> Facts:
    fields = {name: getattr(READY, name) for name in Facts.__slots__}
    return Facts(**{**fields, **changes})


def said(schedule: Schedule | None = None, **changes: object) -> tuple[str, ...]:
    return waiting_for(facts(**changes), schedule or Schedule())


def test_enough_new_code_and_a_quiet_machine_are_all_it_takes():
    assert said() == ()


def test_each_trigger_says_what_it_waits_for():
    assert said(pending=19) == ("20 new or changed functions (19 so far)",)
    assert said(quiet=29.9) == ("30 seconds without a keystroke or a save",)
    assert said(since_run=HOUR - 90) == ("60 minutes between two runs (2 left)",)
    assert said(on_battery=True) == ("AC power",)
    assert said(memory_low=True) == ("free memory",)
    assert said(Schedule(hours="22:00-06:00"), minute=12 * 60) == ("the hours 22:00-06:00",)
    assert len(said(pending=0, quiet=0, since_run=0, on_battery=True, memory_low=True)) == 5


def test_battery_power_may_be_allowed():
    assert said(Schedule(on_battery=True), on_battery=True) == ()


def test_a_gap_of_nothing_and_no_idle_time():
    schedule = Schedule(min_gap_minutes=0, idle_seconds=0)
    assert said(schedule, since_run=0.0, quiet=0.0) == ()


def test_what_serves_badly_is_learnt_again_with_fewer_changes():
    assert said(pending=3, drift=0.1) == ()
    assert said(pending=3, drift=0.09) != ()
    assert said(pending=0, drift=1.0) != ()
    assert said(Schedule(drift=0), pending=3, drift=1.0) != ()


def test_an_interrupted_run_waits_for_neither_changes_nor_the_gap():
    assert said(unfinished=True, pending=0, since_run=1.0) == ()
    assert said(unfinished=True, pending=0, since_run=1.0, quiet=0) != ()


@pytest.mark.parametrize(
    ("hours", "minute", "inside"),
    [
        ("22:00-06:00", 22 * 60, True), ("22:00-06:00", 6 * 60 - 1, True),
        ("22:00-06:00", 6 * 60, False), ("09:30-17:00", 9 * 60 + 30, True),
        ("09:30-17:00", 17 * 60, False), ("08:00-08:00", 3 * 60, True), ("", 0, True),
    ],
)  # fmt: skip
def test_hours_may_go_over_midnight(hours, minute, inside):
    assert (said(Schedule(hours=hours), minute=minute) == ()) is inside


def test_memory_is_low_below_a_gigabyte_or_a_share():
    gigabyte = 1 << 30
    assert is_memory_low(gigabyte - 1, 4 * gigabyte)
    assert not is_memory_low(gigabyte, 4 * gigabyte)
    assert is_memory_low(5 * gigabyte, 64 * gigabyte)
