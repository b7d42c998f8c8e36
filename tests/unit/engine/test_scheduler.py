import threading
from types import SimpleNamespace

import pytest

from lsp_server.engine.scheduler import Scheduler


@pytest.fixture
def scheduler():
    lane = SimpleNamespace()
    running = Scheduler(lane, lane)
    yield running
    running.close()


def test_a_call_is_computed_on_the_computing_thread(scheduler: Scheduler):
    name = scheduler.computed(lambda: threading.current_thread().name)
    assert name == "tenon-generate" != threading.current_thread().name


def test_a_call_that_fails_is_its_callers_and_the_thread_goes_on(scheduler: Scheduler):
    with pytest.raises(ZeroDivisionError):
        scheduler.computed(lambda: 1 // 0)
    assert scheduler.is_alive
    assert scheduler.computed(lambda: 7) == 7
