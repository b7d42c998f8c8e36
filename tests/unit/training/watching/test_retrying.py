import signal

import pytest

from training.watching.retrying import BACKOFF, Retry, how_it_ended, verdict_of


@pytest.mark.parametrize(
    ("status", "how"),
    [
        (0, "finished"), (3, "finished"), (75, "refused"), (1, "failed"), (-9, "failed"),
        (130, "cancelled"), (143, "cancelled"), (-signal.SIGTERM, "cancelled"), (137, "failed"),
        (129, "cancelled"),
    ],
)  # fmt: skip
def test_how_a_run_ended_follows_from_its_status(status, how):
    assert how_it_ended(status) == how


def test_failures_wait_longer_and_longer_and_then_for_a_change():
    retry, now = Retry(), 100.0
    for wait in BACKOFF:
        retry.failed("it broke", now)
        assert retry.waits(now + wait - 1)
        now += wait
        assert not retry.waits(now)
    retry.failed("it broke", now)
    assert retry.waits(now + 1e6)
    retry.changed()
    assert not retry.waits(now)
    assert retry.failures == 0


def test_a_change_does_not_shorten_a_back_off():
    retry = Retry()
    retry.failed("it broke", 0.0)
    retry.changed()
    assert retry.waits(1.0)


def test_a_refusal_goes_by():
    retry = Retry()
    retry.refused("another run goes on", 0.0)
    assert retry.waits(59.0)
    assert not retry.waits(60.0)


def test_a_verdict_is_what_the_run_said():
    outcome = {
        "kind": "outcome", "adapter": "a", "promoted": True, "gain": 0.2, "lower": None,
        "spans": 40, "reason": "better",
    }  # fmt: skip
    verdict = verdict_of(outcome, 12.0)
    assert (verdict.adapter, verdict.promoted, verdict.lower, verdict.finished) \
        == ("a", True, None, 12.0)  # fmt: skip
