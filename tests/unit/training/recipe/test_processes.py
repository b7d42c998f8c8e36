"""Two processes learn what one learns, and leave together."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.train_extra import torch

pytest.importorskip("peft")

from tests import runs_of_processes

SCRIPT = Path(runs_of_processes.__file__)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """What the processes saved, of the first and of the second."""
    folder = tmp_path_factory.mktemp("processes")
    # `accelerate launch` starts processes for GPUs only; on a CPU they are torch's launcher's.
    options = ("--nproc-per-node=2", "--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0")
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *options, SCRIPT, folder],
        env=os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4_000:]
    return [torch.load(folder / f"{place}.pt", weights_only=True) for place in range(2)]


def test_they_learn_what_one_process_learns(results: list[dict]) -> None:
    first, second = results
    alone = runs_of_processes.plain_runs()
    for one, other, single in zip(first["plain"], second["plain"], alone, strict=True):
        assert all(map(torch.equal, one["weights"], other["weights"]))
        assert one["steps"] == other["steps"] == single["steps"]
        assert one["best"] == pytest.approx(single["best"], rel=1e-5)
        assert one["losses"] == pytest.approx(single["losses"], rel=1e-5, nan_ok=True)
        for value, expected in zip(one["weights"], single["weights"], strict=True):
            assert torch.allclose(value, expected, atol=1e-5)


def test_samples_that_cannot_be_shared_equally_are_refused(results: list[dict]) -> None:
    for it in results:
        assert "recipe.step_samples" in it["refused"]
        assert "a multiple of 2" in it["refused"]


def test_only_the_first_one_reports(results: list[dict]) -> None:
    first, second = results
    assert all(run["losses"] for run in first["plain"])
    assert not any(run["losses"] for run in second["plain"])


def test_a_cancelled_one_stops_both(results: list[dict]) -> None:
    assert [it["stopped"] for it in results] == [3, 3]


def test_their_time_is_over_at_the_same_step(results: list[dict]) -> None:
    first, second = (it["late"] for it in results)
    assert first["steps"] == second["steps"] >= 1
    assert all(map(torch.equal, first["weights"], second["weights"]))
