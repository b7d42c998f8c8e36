import pytest

from lsp_server.completion.rhythm import PAUSE_SECONDS, Rhythm

MOST = 0.2


def rhythm(gap, answer):
    known, now = Rhythm(), 100.0
    for _ in range(10):
        known.key(now)
        known.answered(answer)
        now += gap
    return known, now - gap


def test_while_little_is_known_it_waits_as_long_as_it_may():
    assert Rhythm().wait(5.0, MOST) == MOST


@pytest.mark.parametrize(
    ("gap", "answer", "wait"),
    [(0.15, 0.05, 0.1), (0.15, 0.3, 0.0), (0.9, 0.05, MOST)],
)
def test_the_time_between_two_keys_less_that_of_an_answer(gap, answer, wait):
    known, last = rhythm(gap, answer)
    assert known.wait(last, MOST) == pytest.approx(wait)


def test_what_the_editor_has_waited_itself_counts():
    known, last = rhythm(0.15, 0.05)
    assert known.wait(last + 0.05, MOST) == pytest.approx(0.05)
    assert known.wait(last + 5, MOST) == 0


def test_a_pause_is_no_part_of_a_rhythm():
    known, last = rhythm(0.15, 0.05)
    known.key(last + PAUSE_SECONDS + 1)
    assert known.wait(last + PAUSE_SECONDS + 1, MOST) == pytest.approx(0.1)
