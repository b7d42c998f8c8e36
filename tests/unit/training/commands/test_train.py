"""The words and the options of `tenon train`; what it does is in tests/e2e/test_train.py."""

import io
import math
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from lsp_server.cli import main
from tests.train_extra import torch  # noqa: F401 - skips this file where training is not set up
from training.commands.train_progress import Lines, Live, sentence
from training.recipe.recipe import TrainingEvent

FIRST = TrainingEvent(0, 40, math.nan, 0.0, 0.0, math.nan, 1.25)
LATER = TrainingEvent(8, 40, 0.5, 1e-3, 1234.5, 75.2, 1.125)
BLIND = TrainingEvent(8, 40, 0.5, 1e-3, 1234.5, 7.0, None)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (FIRST, "before training: held out 1.2500"),
        (LATER, "step 8/40: loss 0.5000, held out 1.1250, 1,234 tokens/s, 1 min 15 s left"),
        (BLIND, "step 8/40: loss 0.5000, 1,234 tokens/s, 7 s left"),
    ],
)
def test_a_step_in_words(event: TrainingEvent, said: str):
    assert sentence(event) == said


def test_lines_tell_every_stage_and_each_tenth_of_the_gate():
    output = io.StringIO()
    listener = Lines(Console(file=output, width=80, markup=False)).listener
    listener.stage("reading [id]/page.ts")
    listener.event(LATER)
    for done in range(1, 101):
        listener.judged("newer code", done, 100)
    lines = output.getvalue().splitlines()
    assert lines[0] == "reading [id]/page.ts"
    assert len(lines) == 2 + 11
    assert lines[-1] == "newer code: 100 of 100 spans"


def test_a_terminal_keeps_the_stages_that_ended():
    output = io.StringIO()
    console = Console(file=output, width=100, force_terminal=True, color_system=None)
    with Live(console) as live:
        for stage in ("reading files", "training"):
            live.listener.stage(stage)
        live.listener.event(FIRST)
        live.listener.event(LATER)
        live.listener.judged("answers", 3, 10)
    assert "done: reading files" in output.getvalue()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--export", "fim"], "--export and --output belong together"),
        (["--export", "fim", "--output", "x"], "--export goes with --dry-run"),
        (["--config", "nowhere.toml"], "nowhere.toml cannot be read"),
        (["--max-steps", "-1"], "max_steps"),
        (["--method", "dora"], "leave --method out"),
    ],
)
def test_options_that_contradict_each_other(capsys, tmp_path, monkeypatch, options, said):
    monkeypatch.setenv("TENON_HOME", str(tmp_path / "home"))
    assert main(["train", str(tmp_path), *options]) == 1
    errors = capsys.readouterr().err
    assert said in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "soon"])
def test_seconds_are_a_number(capsys, seconds):
    with pytest.raises(SystemExit) as raised:
        main(["train", ".", "--gate-seconds", seconds])
    assert raised.value.code == 2
    assert "is no number of seconds" in capsys.readouterr().err


def test_a_folder_that_is_not_there(capsys, tmp_path):
    assert main(["train", str(tmp_path / "nowhere")]) == 1
    assert "give the repository's root" in capsys.readouterr().err


def test_help_tells_the_exit_status_and_no_library_speaks_up():
    command = [sys.executable, "-m", "lsp_server", "train", "--help"]
    root = Path(__file__).parents[4]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    assert "3    it was not promoted" in done.stdout
    assert done.stderr == ""
