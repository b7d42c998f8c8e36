"""Time without what a process stood still for: a real one is suspended and resumed."""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from training.clock import LONGEST_BEAT, ActiveClock

COUNT = """
import sys, time
from training.clock import ActiveClock
with ActiveClock() as clock:
    began = time.monotonic()
    for _ in sys.stdin:
        print(clock(), time.monotonic() - began, flush=True)
"""


@dataclass
class Hands:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_suspended_process_does_not_age():
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", COUNT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        cwd=root, bufsize=1,
    ) as process:  # fmt: skip
        try:

            def told() -> tuple[float, float]:
                process.stdin.write("now\n")
                active, passed = process.stdout.readline().split()
                return float(active), float(passed)

            before = told()
            psutil.Process(process.pid).suspend()
            time.sleep(2.0)
            psutil.Process(process.pid).resume()
            time.sleep(0.5)
            after = told()
        finally:
            process.kill()
    assert after[1] - before[1] >= 2.5
    assert 0.4 <= after[0] - before[0] <= 1.5


def test_time_goes_by_as_on_any_clock():
    with ActiveClock() as clock:
        began, then = time.monotonic(), clock()
        time.sleep(0.4)
        assert clock() - then == pytest.approx(time.monotonic() - began, abs=0.1)


def test_a_gap_counts_as_far_as_the_process_computed():
    wall, computed = Hands(), Hands()
    clock = ActiveClock(wall, computed)
    wall.now += LONGEST_BEAT
    assert clock() == LONGEST_BEAT
    wall.now, computed.now = wall.now + 10.0, 7.0
    assert clock() == LONGEST_BEAT + 7.0
    wall.now, computed.now = wall.now + 10.0, 100.0  # of several cores
    assert clock() == LONGEST_BEAT + 17.0


def test_it_never_goes_back():
    wall = Hands(5.0)
    clock = ActiveClock(wall, Hands())
    wall.now = 4.0
    assert clock() == 0.0
