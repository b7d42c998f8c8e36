from lsp_server.engine.threads import LAST_TRIAL_SECONDS, ThreadChoice


class Machine:
    """Decodes as fast as it is told to, by the number of threads, on a clock of its own."""

    def __init__(self, most: int = 2) -> None:
        self.now = 0.0
        self.threads = ThreadChoice.up_to(most, lambda: self.now)

    def decode(self, seconds: dict[int, float], *, tokens: int = 1, times: int = 1) -> list[int]:
        chosen = []
        for _ in range(times):
            count = self.threads.choose(tokens)
            self.now += seconds[count]
            self.threads.note(count, tokens, seconds[count])
            chosen.append(count)
        return chosen


QUIET, BUSY = {2: 0.0085, 1: 0.0125}, {2: 0.1, 1: 0.02}


def test_a_quiet_machine_computes_with_all_cores():
    machine = Machine()
    assert machine.decode(QUIET, times=2000).count(1) < 8


def test_a_busy_machine_computes_with_half_of_them():
    machine = Machine()
    machine.decode(QUIET, times=100)
    chosen = machine.decode(BUSY, times=1000)
    assert chosen[5:].count(2) < 8


def test_when_the_machine_is_quiet_again_all_cores_compute_soon():
    machine = Machine()
    machine.decode(BUSY, times=2000)
    chosen = machine.decode(QUIET, times=int(2 * LAST_TRIAL_SECONDS / 0.0125))
    assert set(chosen[-100:]) == {2}


def test_another_number_is_tried_seldom_however_slow_it_is():
    machine = Machine()
    slow = {2: 0.01, 1: 5.0}
    chosen = machine.decode(slow, times=20_000)
    assert chosen.count(1) <= 10


def test_many_tokens_are_another_matter_than_few():
    machine = Machine()
    machine.decode(BUSY, times=100)
    assert machine.decode({2: 0.1, 1: 0.19}, tokens=64, times=10).count(1) <= 1


def test_a_single_core_leaves_no_choice():
    assert Machine(1).decode({1: 0.1}, times=50) == [1] * 50


def test_a_few_tokens_are_told_from_one():
    machine = Machine()
    for tokens in (1, 4, 1, 4, 4):
        machine.decode({2: 0.0085 * (1 + 0.16 * (tokens - 1)), 1: 0.0125}, tokens=tokens)
    assert machine.threads.choose(4) == 2


def test_many_tokens_are_tried_only_where_few_are_faster_so():
    machine = Machine()
    machine.decode(QUIET, times=10)
    machine.decode({2: 0.1, 1: 0.16}, tokens=64, times=10)
    machine.decode(BUSY, times=100)
    assert machine.decode({2: 5.0, 1: 0.2}, tokens=64, times=2000).count(2) <= 2
    machine.decode(QUIET, times=10_000)
    assert machine.decode({2: 0.1, 1: 0.16}, tokens=64, times=2000)[-1] == 2
