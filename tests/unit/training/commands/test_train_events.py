"""What `tenon train --events` says and exits with; whole runs are in tests/e2e."""

import io
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lsp_server.cli import main
from lsp_server.store.locks import MachineLock
from lsp_server.store.paths import StorePaths
from tests.train_extra import torch  # noqa: F401 - skips this file where training is not set up
from training.commands.train_events import Events
from training.gate.report import GateReport
from training.recipe.recipe import TrainingEvent
from training.run import Outcome

HERE = Path(__file__).parents[4]
GONE = """
import sys, time
from training.commands.train_events import Events
from training.interruption import interruptible
with interruptible() as cancelled:
    events = Events(sys.stdout)
    for number in range(100):
        events.listener.stage(f"stage {number}")
        cancelled.check()
        time.sleep(0.05)
"""


def test_every_event_is_one_line():
    output = io.StringIO()
    events = Events(output)
    events.listener.stage("training")
    events.listener.event(TrainingEvent(0, 40, math.nan, 0.0, 0.0, math.nan, 1.25))
    events.listener.judged("newer code", 3, 10)
    report = GateReport(verdict="undecided", reasons=("too few",), sweep=None, answers=0, guards=())
    events.outcome(Outcome("an-id", report, Path("runs") / "one"))
    events.error("what to\ndo")
    stage, step, judging, outcome, error = map(json.loads, output.getvalue().splitlines())
    assert stage == {"kind": "stage", "stage": "training"}
    assert step.items() >= {"kind": "step", "step": 0, "steps": 40, "loss": None, "eta": None,
                            "heldout": 1.25, "tokens_per_second": 0.0}.items()  # fmt: skip
    assert judging == {"kind": "judging", "step": "newer code", "done": 3, "total": 10}
    assert outcome == {
        "kind": "outcome", "adapter": "an-id", "promoted": False, "gain": 0.0, "lower": None,
        "spans": 0, "reason": "too few", "run": str(Path("runs") / "one"),
    }  # fmt: skip
    assert error == {"kind": "error", "message": "what to\ndo"}


@pytest.mark.parametrize(("background", "status"), [(["--background"], 75), ([], 1)])
def test_another_run_on_the_machine_is_not_waited_for(
    tmp_path: Path, background: list[str], status: int
):
    paths = StorePaths(tmp_path / "home")
    (tmp_path / "app").mkdir()
    command = ["train", str(tmp_path / "app"), "--events", *background]
    with MachineLock(paths, "other"):
        done = subprocess.run(
            [sys.executable, "-m", "lsp_server", *command], capture_output=True, text=True,
            cwd=HERE, env={**os.environ, "TENON_HOME": str(paths.root)}, check=False,
        )  # fmt: skip
    assert done.returncode == status
    [error] = map(json.loads, done.stdout.splitlines())
    assert error["kind"] == "error"
    assert error["message"].startswith(
        f"other is being trained on this machine (process {os.getpid()})"
    )
    assert done.stderr == f"tenon: {error['message']}\n"
    assert not paths.repositories.joinpath("app").exists()


def test_a_folder_that_is_gone_is_an_event(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    assert main(["train", str(tmp_path / "gone"), "--events"]) == 1
    said = capsys.readouterr()
    assert "give the repository's root" in json.loads(said.out)["message"]
    assert "give the repository's root" in said.err


@pytest.mark.parametrize("other", ["--json", "--dry-run"])
def test_events_stand_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path, other: str):
    assert main(["train", str(tmp_path), "--events", other]) == 1
    assert "--events goes with neither" in capsys.readouterr().err


def test_a_home_that_cannot_be_written_says_so(tmp_path: Path):
    (tmp_path / "file").write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "lsp_server", "train", str(tmp_path), "--events"],
        capture_output=True, text=True, cwd=HERE, check=False,
        env={**os.environ, "TENON_HOME": str(tmp_path / "file")},
    )  # fmt: skip
    assert done.returncode == 1
    assert json.loads(done.stdout)["kind"] == "error"
    assert "set TENON_HOME to another folder" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break otherwise there")
def test_a_reader_that_is_gone_cancels_the_run():
    with subprocess.Popen(
        [sys.executable, "-c", GONE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=HERE,
    ) as process:  # fmt: skip
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
    assert "RunCancelledError" in errors.splitlines()[-1]
    assert "BrokenPipeError" not in errors.splitlines()[-1]
