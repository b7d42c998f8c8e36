"""Signals during a run, sent to this very process."""

import asyncio
import os
import signal
import sys

import pytest

from tests.train_extra import torch  # noqa: F401 - skips this file where training is not set up
from training.interruption import Interruption, RunCancelledError, interruptible
from training.recipe.recipe import TrainingCancelledError
from training.signals import ENDING, to_be_heard


@pytest.mark.parametrize("number", to_be_heard())
def test_a_signal_is_noted_and_becomes_the_exit_status(number: signal.Signals):
    before = [signal.getsignal(it) for it in ENDING]
    noted = []

    def run() -> None:
        with interruptible() as cancelled:
            cancelled.check()
            os.kill(os.getpid(), number)
            noted.append(cancelled())
            cancelled.check()

    with pytest.raises(RunCancelledError) as raised:
        run()
    assert noted == [True]
    assert raised.value.status == {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}[number.name]
    assert "what served before goes on" in str(raised.value)
    assert [signal.getsignal(it) for it in ENDING] == before


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGHUP")
def test_a_run_under_nohup_outlives_its_terminal():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible() as cancelled:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not cancelled()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_second_ctrl_c_is_pythons_own():
    def run() -> None:
        with interruptible():
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run()


def test_other_errors_pass():
    with pytest.raises(ZeroDivisionError), interruptible():
        raise ZeroDivisionError


def test_work_ends_with_its_result_or_is_cancelled():
    ended = []

    async def quick() -> int:
        return 7

    async def endless() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    with interruptible() as cancelled:
        assert asyncio.run(cancelled.unless(quick())) == 7
        with pytest.raises(TrainingCancelledError):
            asyncio.run(cancelled.unless(endless()))
        assert ended


def test_between_two_measurements_a_signal_is_heard() -> None:
    asked, measured = Interruption(), []

    def measure(scale: float) -> float:
        measured.append(scale)
        asked.number = signal.SIGTERM
        return scale

    heard = asked.before(measure)
    assert heard(0.5) == 0.5
    with pytest.raises(TrainingCancelledError):
        heard(1.0)
    assert measured == [0.5]
