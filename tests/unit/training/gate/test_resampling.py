import numpy as np
import pytest

from training.gate.resampling import Bootstrap

BOOTSTRAP = Bootstrap(resamples=2000)


def files(count: int, spans: int) -> list[str]:
    return [f"f{number % count}.py" for number in range(spans)]


def test_the_same_seed_gives_the_same_bounds():
    noise = np.random.default_rng(1).normal(0.1, 1, (2, 60))
    one, other = (BOOTSTRAP.simultaneous_lower(files(12, 60), noise) for _ in range(2))
    assert one.lower.tolist() == other.lower.tolist()
    another = Bootstrap(resamples=2000, seed=1).simultaneous_lower(files(12, 60), noise)
    assert another.lower.tolist() != one.lower.tolist()
    assert another.lower == pytest.approx(one.lower, abs=0.1)


def test_memory_does_not_decide(monkeypatch: pytest.MonkeyPatch):
    noise = np.random.default_rng(1).normal(0.1, 1, (1, 60))
    whole = BOOTSTRAP.simultaneous_lower(files(12, 60), noise)
    monkeypatch.setattr("training.gate.resampling._CELLS", 100)
    cut = BOOTSTRAP.simultaneous_lower(files(12, 60), noise)
    assert cut.lower == pytest.approx(whole.lower)


def test_against_the_textbook_where_spans_are_independent():
    """One span a file and normal noise: Student's interval."""
    noise = np.random.default_rng(3).normal(0.5, 1, (1, 40))
    bounds = Bootstrap(resamples=20_000).simultaneous_lower(files(40, 40), noise)
    error = noise.std(ddof=1) / np.sqrt(40)
    assert bounds.means[0] == pytest.approx(noise.mean())
    assert bounds.lower[0] == pytest.approx(noise.mean() - 2.02 * error, abs=0.15 * error)


def test_spans_of_one_file_count_as_one_observation():
    of_files = np.random.default_rng(5).normal(0.3, 1, 20)
    once = BOOTSTRAP.simultaneous_lower(files(20, 20), of_files[None])
    often = BOOTSTRAP.simultaneous_lower(files(20, 200), np.tile(of_files, 10)[None])
    assert often.lower == pytest.approx(once.lower)


def test_more_arms_cost_confidence_but_equal_arms_do_not():
    noise = np.random.default_rng(7).normal(0.3, 1, (3, 60))
    alone = BOOTSTRAP.simultaneous_lower(files(20, 60), noise[:1])
    together = BOOTSTRAP.simultaneous_lower(files(20, 60), noise)
    equal = BOOTSTRAP.simultaneous_lower(files(20, 60), noise[[0, 0, 0]])
    assert together.lower[0] < alone.lower[0]
    assert equal.lower == pytest.approx(alone.lower[[0, 0, 0]])


def test_what_never_varies_is_certain():
    bounds = BOOTSTRAP.simultaneous_lower(files(6, 30), np.zeros((2, 30)))
    assert bounds.lower.tolist() == [0.0, 0.0]
    mixed = np.stack([np.full(30, 0.25), np.random.default_rng(1).normal(0, 1, 30)])
    bounds = BOOTSTRAP.simultaneous_lower(files(6, 30), mixed)
    assert bounds.lower[0] == 0.25
    assert bounds.lower[1] < bounds.means[1]


def test_two_files_say_nothing():
    noise = np.random.default_rng(1).normal(5, 1, (1, 40))
    assert BOOTSTRAP.simultaneous_lower(files(2, 40), noise).lower[0] == -np.inf


def test_one_bad_file_is_no_significant_fall():
    fall = np.zeros(40)
    fall[::20] = -1.0  # both in f0.py
    assert BOOTSTRAP.upper(files(20, 40), fall) >= 0
    assert BOOTSTRAP.upper(files(20, 40), np.full(40, -0.01)) < 0
